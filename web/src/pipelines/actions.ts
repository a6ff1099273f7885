// What can be done to a pipeline, by whom it may be seen.

import {
  DeletePipelineDocument,
  RestartPipelineDocument,
  StartPipelineDocument,
  StopPipelineDocument,
} from "../api/operations.ts";
import { request } from "../api/request.ts";

export const start = (id: string) => request(StartPipelineDocument, { id });
export const stop = (id: string, mode: "DRAIN" | "AT_ONCE") => request(StopPipelineDocument, { id, mode });
export const restart = (id: string) => request(RestartPipelineDocument, { id });
export const remove = (id: string) => request(DeletePipelineDocument, { id });
