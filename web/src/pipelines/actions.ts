// What can be done to a pipeline, by whom it may be seen.

import {
  DeletePipelineDocument,
  ReconnectDestinationDocument,
  RestartPipelineDocument,
  SetDestinationEnabledDocument,
  StartDemoDocument,
  StartPipelineDocument,
  StopPipelineDocument,
} from "../api/operations.ts";
import { request } from "../api/request.ts";

export const start = (id: string) => request(StartPipelineDocument, { id });
/** A clip is encoded the first time, which takes some seconds. */
export const startDemo = () => request(StartDemoDocument, {});
export const stop = (id: string, mode: "DRAIN" | "AT_ONCE") => request(StopPipelineDocument, { id, mode });
export const restart = (id: string) => request(RestartPipelineDocument, { id });
export const reconnect = (id: string, destination: string) =>
  request(ReconnectDestinationDocument, { id, destination });
export const setEnabled = (id: string, destination: string, enabled: boolean) =>
  request(SetDestinationEnabledDocument, { id, destination, enabled });
export const remove = (id: string) => request(DeletePipelineDocument, { id });
