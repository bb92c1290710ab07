/** What the debugger tells a front end of itself. */
import type { DebugProtocol } from '@vscode/debugprotocol';

export const EXCEPTION_FILTERS: readonly DebugProtocol.ExceptionBreakpointsFilter[] = [
  {
    filter: 'raised',
    label: 'Raised Exceptions',
    description: 'Break where your code throws, caught or not.',
  },
  {
    filter: 'uncaught',
    label: 'Uncaught Exceptions',
    description: 'Break where an error is thrown that no catch around it handles, and at every rejection.',
  },
];

export const CAPABILITIES: DebugProtocol.Capabilities = {
  supportsConfigurationDoneRequest: true,
  supportsConditionalBreakpoints: true,
  supportsHitConditionalBreakpoints: true,
  supportsLogPoints: true,
  supportsEvaluateForHovers: true,
  supportsSetVariable: true,
  supportsExceptionInfoRequest: true,
  supportsModulesRequest: true,
  supportsLoadedSourcesRequest: true,
  exceptionBreakpointFilters: [...EXCEPTION_FILTERS],
};

/** Bodies of refusals: JupyterLab reads these lists without looking whether the request succeeded. */
export const EMPTY: Readonly<Record<string, object>> = {
  variables: { variables: [] },
  inspectVariables: { variables: [] },
  stackTrace: { stackFrames: [] },
  scopes: { scopes: [] },
  setBreakpoints: { breakpoints: [] },
  modules: { modules: [] },
};
