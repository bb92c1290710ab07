/** Error scopes of a device: what fails is told at the next readback, by the name of what was being done. */
import { DeviceError } from '../core/errors.js';

export class ErrorScopes {
  private readonly pending = new Set<Promise<void>>();
  private failure: string | undefined;

  constructor(private readonly device: GPUDevice) {}

  /** Pushes and pops within one call, so that a caller's own error scopes are never interleaved with ours. */
  run<T>(filter: GPUErrorFilter, make: () => T, explain: (message: string) => string): T {
    this.device.pushErrorScope(filter);
    try {
      return make();
    } finally {
      const check: Promise<void> = this.device.popErrorScope().then(
        (error) => {
          if (error) this.failure ??= explain(error.message);
        },
        () => undefined,
      );
      this.pending.add(check);
      void check.then(() => this.pending.delete(check));
    }
  }

  /** Waits for outstanding scopes and throws the first error found since the last call. */
  async settle(): Promise<void> {
    await Promise.all(this.pending);
    const failure = this.failure;
    this.failure = undefined;
    if (failure) throw new DeviceError(failure);
  }
}
