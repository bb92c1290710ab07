/** Fetching one file of known size and hash, resumable. */
import { CancelledError, DataError } from '../core/errors.js';
import { fileSize, moveFile, removeFile, saveChunks, sha256File, withLock } from './files.js';

/** How far a transfer is. */
export interface TransferProgress {
  name: string;
  received: number;
  total: number;
}

/** What to fetch and where to put it. */
export interface DownloadRequest {
  name: string;
  address: string;
  path: string;
  bytes: number;
  sha256: string;
  signal?: AbortSignal;
  onProgress?: (progress: TransferProgress) => void;
  /** Attempts after a lost connection; each continues where the last stopped. Default 3. */
  attempts?: number;
}

/**
 * Downloads into `path`: first to `path`.part with HTTP ranges, checked by sha256, then renamed. An interrupted
 * transfer keeps its part file and the next call continues it.
 *
 * @throws DataError when the server refuses, the connection is lost, or the content has another hash (the part file is
 *   then removed). CancelledError on the signal.
 */
export async function download(request: DownloadRequest): Promise<void> {
  await withLock(request.path, () => downloadLocked(request));
}

async function downloadLocked(request: DownloadRequest): Promise<void> {
  const { path, bytes, attempts = 3, name } = request;
  const part = `${path}.part`;
  const resumed = (await fileSize(part)) !== undefined;
  let failure: unknown;
  for (let attempt = 0; attempt < attempts; attempt++) {
    try {
      await transfer(request, part);
      if ((await fileSize(part)) === bytes) break;
      failure = new Error('the connection was closed early');
    } catch (error) {
      if (request.signal?.aborted) throw cancelled(name, error);
      if (error instanceof DataError) throw error;
      failure = error;
    }
  }
  const received = (await fileSize(part)) ?? 0;
  if (received !== bytes) {
    const reason = describe(failure);
    throw new DataError(
      `download: ${name} must arrive whole, got ${received} of ${bytes} bytes (${reason}); run the same command again to continue, or set ASSAY_DATA to an offline mirror`,
      { cause: failure },
    );
  }
  const got = await sha256File(part);
  if (got === request.sha256) return moveFile(part, path);
  await removeFile(part);
  // A part file from another version of the file spoils the whole: once more from the beginning.
  if (resumed) return downloadLocked(request);
  throw new DataError(
    `download: ${name} must have sha256 ${request.sha256}, got ${got} from ${request.address}; the file there has changed or was altered on the way`,
  );
}

/** The reason of a failed fetch; Node hides it in `cause`. */
function describe(failure: unknown): string {
  const error = failure as { message?: string; cause?: { message?: string; code?: string } } | undefined;
  return error?.cause?.message || error?.cause?.code || error?.message || 'the connection was closed';
}

function cancelled(name: string, cause: unknown): CancelledError {
  return new CancelledError(`download: ${name} was cancelled; run the same command again to continue`, {
    cause,
  });
}

/** One request: continues the part file where the server allows it. */
async function transfer(request: DownloadRequest, part: string): Promise<void> {
  const { address, bytes, signal, name } = request;
  let have = (await fileSize(part)) ?? 0;
  if (have > bytes) {
    await removeFile(part);
    have = 0;
  }
  if (have === bytes) return;
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (have > 0) headers['range'] = `bytes=${have}-`;
  const response = await fetch(address, { headers, signal: signal ?? null });
  if (response.status === 416) {
    await removeFile(part);
    throw new Error('the server refused to continue');
  }
  const continues = response.status === 206 && rangeStart(response) === have;
  if (!response.ok || (response.status === 206 && !continues) || !response.body) {
    await response.body?.cancel();
    const detail = response.ok ? 'a range that was not asked for' : `status ${response.status}`;
    if (response.status >= 500) throw new Error(`the server answered ${response.status}`);
    throw new DataError(`download: ${address} must serve ${name}, got ${detail}`);
  }
  await saveChunks(part, counted(response.body, continues ? have : 0, request), continues, signal);
}

function rangeStart(response: Response): number {
  return Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] ?? NaN);
}

/** Passes chunks on, reports progress, and stops a server that sends more than the manifest says. */
async function* counted(
  body: ReadableStream<Uint8Array>,
  start: number,
  request: DownloadRequest,
): AsyncGenerator<Uint8Array> {
  const { name, bytes, onProgress, address } = request;
  const reader = body.getReader();
  let received = start;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      received += value.length;
      if (received > bytes) {
        throw new DataError(`download: ${name} must have ${bytes} bytes, got more from ${address}`);
      }
      yield value;
      onProgress?.({ name, received, total: bytes });
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
