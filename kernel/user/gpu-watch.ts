/**
 * What goes wrong on GPU devices, told in the cell that caused it. Dawn reports an error that no error scope takes
 * from inside the failing call, so the running execution and the stack are exactly the culprit's; errors that the
 * user's or the library's own scopes take are theirs and are not told twice.
 */
import { noteDevice } from '../display/gpu-devices.js';
import { currentExecution, running, type Execution } from './executions.js';
import { GpuErrors, deviceLost } from './gpu-errors.js';
import { nodeTimers } from './node-timers.js';

export interface GpuReports {
  /** An error of work that ended after its execution's reply, or of no execution. */
  late(execution: Execution | undefined, error: Error): void;
  /** The adapter line, once a device was made. */
  adapter(text: string): void;
}

export class GpuWatch {
  private readonly devices = new Set<WeakRef<GPUDevice>>();
  private readonly errors = new Map<Execution, GpuErrors>();
  private line: string | undefined;
  /** Where the error of a shader module went whose creation has not returned yet. */
  private failed: GpuErrors | undefined;

  constructor(private readonly reports: GpuReports) {}

  /** Call when `execution` begins. */
  beginExecution(execution: Execution): void {
    this.errors.set(execution, new GpuErrors());
  }

  /** Call before the reply: the errors of the execution's GPU work. */
  async endExecution(execution: Execution): Promise<Error[]> {
    const errors = this.errors.get(execution);
    if (this.devices.size) await this.turn();
    this.errors.delete(execution);
    return errors && !execution.interrupted ? errors.finish() : [];
  }

  /** The adapter of the first device: its name and kind. Undefined before there is a device. */
  adapterLine(): string | undefined {
    return this.line;
  }

  /** Frees all devices still alive, so that the process ends without waiting for the GPU. */
  destroyDevices(): void {
    for (const reference of this.devices) {
      try {
        reference.deref()?.destroy();
      } catch {
        // A device that cannot be destroyed any more is gone already.
      }
    }
    this.devices.clear();
  }

  /** What a wrapped method has to tell after its call; undefined for most. */
  around(onDevice: boolean, name: string): ((result: unknown, args: readonly unknown[]) => void) | undefined {
    if (!onDevice || name !== 'createShaderModule') return undefined;
    return (module, [descriptor]) => {
      const { code } = (descriptor ?? {}) as Partial<GPUShaderModuleDescriptor>;
      this.failed?.shaderModule(module as GPUShaderModule, String(code));
      this.failed = undefined;
    };
  }

  /** Listens to the device before its maker has it. */
  readonly request = (made: Promise<GPUDevice>): Promise<GPUDevice> => {
    const owner = currentExecution();
    made.then(
      (device) => this.adopt(device, owner),
      () => undefined,
    );
    return made;
  };

  private adopt(device: GPUDevice, owner: Execution | undefined): void {
    const reference = new WeakRef(device);
    this.devices.add(reference);
    noteDevice(device);
    device.addEventListener('uncapturederror', (event) => {
      // Else dawn also prints it to the terminal the kernel was started from.
      event.preventDefault();
      this.report(event.error);
    });
    void device.lost.then((info) => {
      this.devices.delete(reference);
      if (info.reason !== 'destroyed') this.tell(this.culprit() ?? owner, deviceLost(info));
    });
    if (this.line !== undefined) return;
    this.line = describe((device as { adapterInfo?: GPUAdapterInfo }).adapterInfo);
    this.reports.adapter(this.line);
  }

  private report(error: GPUError): void {
    const execution = this.culprit();
    if (execution?.interrupted) return;
    const errors = (execution && this.errors.get(execution)) ?? this.late(execution);
    errors.add(error);
    if (error.message.includes('.CreateShaderModule(')) this.failed = errors;
  }

  /** Takes errors of work whose cell has its reply; told when the failing call is over. */
  private late(execution: Execution | undefined): GpuErrors {
    const errors = new GpuErrors();
    nodeTimers.setImmediate(() => {
      void errors.finish().then((found) => {
        for (const one of found) this.reports.late(execution, one);
      });
    });
    return errors;
  }

  private tell(execution: Execution | undefined, error: Error): void {
    const errors = execution && this.errors.get(execution);
    if (errors) errors.push(error);
    else this.reports.late(execution, error);
  }

  /** Whose code runs; in the device's own turns the only running execution, if there is one only. */
  private culprit(): Execution | undefined {
    const execution = currentExecution();
    if (execution) return execution;
    const [first, second] = [...running()];
    return second ? undefined : first;
  }

  /** Lets losses and errors that the device's turns bring arrive. */
  private turn(): Promise<void> {
    return new Promise((resolve) => void nodeTimers.setImmediate(resolve));
  }
}

function describe(info: GPUAdapterInfo | undefined): string {
  const { vendor, architecture, device, description } = info ?? {};
  const name = description || [vendor, architecture, device].filter(Boolean).join(' ') || 'unnamed adapter';
  const fallback = (info as { isFallbackAdapter?: boolean } | undefined)?.isFallbackAdapter;
  const software =
    fallback || /llvmpipe|swiftshader|software|lavapipe/i.test(`${name} ${architecture ?? ''}`);
  return `GPU: ${name.split(':')[0]}${software ? ' (software, for testing only)' : ''}`;
}
