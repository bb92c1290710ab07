/** What a training process and its parent tell each other. */
import type { BackendName } from '../../lib/tensor/backend.js';
import type { Plain, Size, Task, TaskProgress } from '../../lib/papers/index.js';

/** How to rebuild the same setup in another process. */
export interface SetupPlan {
  size: Size;
  backend: BackendName;
  text?: 'generated' | 'none';
  data?: string;
  cache: string;
}

/** Parent to child: the work. */
export interface StartMessage {
  kind: 'start';
  root: string;
  paper: string;
  experiment: string;
  setup: SetupPlan;
  part: string;
  task: Task;
  checkpoint?: string;
}

/** Parent to child: save and stop. */
export interface CancelMessage {
  kind: 'cancel';
}

/** Child to parent. */
export type ChildMessage =
  | { kind: 'progress'; progress: TaskProgress }
  | { kind: 'result'; result: Plain }
  | { kind: 'error'; name: string; message: string };
