// Actions on a pipeline, and which roles may see them.

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
/** The first time, a clip is encoded, which takes some seconds. */
export const startDemo = () => request(StartDemoDocument, {});
export const stop = (id: string, mode: "DRAIN" | "AT_ONCE") => request(StopPipelineDocument, { id, mode });
export const restart = (id: string) => request(RestartPipelineDocument, { id });
export const reconnect = (id: string, destination: string) =>
  request(ReconnectDestinationDocument, { id, destination });
export const setEnabled = (id: string, destination: string, enabled: boolean) =>
  request(SetDestinationEnabledDocument, { id, destination, enabled });
export const remove = (id: string) => request(DeletePipelineDocument, { id });
