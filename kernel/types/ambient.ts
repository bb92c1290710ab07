/** Declarations every cell sees beside the language's own library, Node's and WebGPU's. */

/**
 * Names of the kernel, and the few names of a browser that WebGPU's declarations mention: the browser's own
 * library is ten times the size of all the others and describes objects that Node does not have.
 */
export const AMBIENT = `
interface AssayCell {
  /** The number in the square brackets. */
  readonly count: number;
  /** Aborted when the cell is interrupted; pass it on to whatever takes an AbortSignal. */
  readonly signal: AbortSignal;
  /** Throws CellInterrupted when the cell was interrupted. */
  throwIfInterrupted(): void;
}
/** The running cell. */
declare var cell: AssayCell;
/** Asks the reader of the notebook for a line of text. */
declare function prompt(message?: string, defaultValue?: string): string;
/** The value the last cell ended in. */
declare var _: any;

type BufferSource = ArrayBufferView<ArrayBuffer> | ArrayBuffer;
type PredefinedColorSpace = 'display-p3' | 'srgb';
interface DOMPointReadOnly { readonly x: number; readonly y: number; readonly z: number; readonly w: number }
interface ImageBitmap { readonly height: number; readonly width: number; close(): void }
interface ImageData { readonly data: Uint8ClampedArray<ArrayBuffer>; readonly height: number; readonly width: number }
interface HTMLCanvasElement { height: number; width: number }
interface HTMLImageElement { height: number; width: number }
interface HTMLVideoElement { height: number; width: number }
interface OffscreenCanvas { height: number; width: number }
interface VideoFrame { readonly codedHeight: number; readonly codedWidth: number; close(): void }
interface EventListenerOptions { capture?: boolean }
interface AddEventListenerOptions extends EventListenerOptions { once?: boolean; passive?: boolean; signal?: AbortSignal }
interface EventListener { (event: Event): void }
interface EventListenerObject { handleEvent(event: Event): void }
type EventListenerOrEventListenerObject = EventListener | EventListenerObject;
interface Navigator { readonly hardwareConcurrency: number; readonly language: string; readonly platform: string; readonly userAgent: string }
declare var navigator: Navigator;

/** WebAssembly, which the language's own library leaves to a browser's. */
declare namespace WebAssembly {
  type ImportValue = Function | Global | Memory | Module | Table | number | bigint;
  type Imports = Record<string, Record<string, ImportValue>>;
  type ValueType = 'anyfunc' | 'externref' | 'f32' | 'f64' | 'i32' | 'i64' | 'v128';
  interface MemoryDescriptor { initial: number; maximum?: number; shared?: boolean }
  interface TableDescriptor { element: 'anyfunc' | 'externref'; initial: number; maximum?: number }
  interface GlobalDescriptor { mutable?: boolean; value: ValueType }
  interface WebAssemblyInstantiatedSource { instance: Instance; module: Module }
  class Module {
    constructor(bytes: BufferSource);
    static customSections(module: Module, name: string): ArrayBuffer[];
    static exports(module: Module): { kind: string; name: string }[];
    static imports(module: Module): { kind: string; module: string; name: string }[];
  }
  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Record<string, any>;
  }
  class Memory {
    constructor(descriptor: MemoryDescriptor);
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  class Table {
    constructor(descriptor: TableDescriptor, value?: any);
    readonly length: number;
    get(index: number): any;
    grow(count: number, value?: any): number;
    set(index: number, value?: any): void;
  }
  class Global {
    constructor(descriptor: GlobalDescriptor, value?: any);
    value: any;
    valueOf(): any;
  }
  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}
  function compile(bytes: BufferSource): Promise<Module>;
  function instantiate(bytes: BufferSource, imports?: Imports): Promise<WebAssemblyInstantiatedSource>;
  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
  function validate(bytes: BufferSource): boolean;
}
`;
