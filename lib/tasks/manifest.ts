/** Finding data sets on this machine, and fetching them when asked to. Never a silent download. */
import { manifests, type DatasetManifest } from '../../datasets/index.js';
import { DataError, show } from '../core/errors.js';
import { download, type TransferProgress } from './download.js';
import { environment, fileSize, joinPath, readBytes, sha256File } from './files.js';

export type { DatasetManifest, TransferProgress };

/** Where to look, and what may be done. */
export interface LoadOptions {
  /** Offline mirror; default: the environment variable ASSAY_DATA. */
  data?: string;
  /** Local cache; default: the environment variable ASSAY_CACHE, else `.assay/data` in the working folder. */
  cache?: string;
  /** Fetch a missing file; default false. */
  allowDownload?: boolean;
  signal?: AbortSignal;
  onProgress?: (progress: TransferProgress) => void;
  /** Manifests to search; default: those of the project. */
  manifests?: readonly DatasetManifest[];
}

/** A file found on this machine, its hash checked. */
export interface LocalData {
  manifest: DatasetManifest;
  path: string;
  from: 'mirror' | 'cache' | 'download';
}

/** All manifests, in the order of datasets/. */
export function listManifests(): readonly DatasetManifest[] {
  return manifests;
}

/** The manifest of a name. */
export function manifestOf(name: string, known: readonly DatasetManifest[] = manifests): DatasetManifest {
  const found = known.find((manifest) => manifest.name === name);
  if (found) return found;
  const names = known.map((manifest) => manifest.name).join(', ');
  throw new DataError(`manifestOf: name must be one of ${names}, got ${show(name)}`);
}

/** Path of a data set in the local cache. */
export function cachePath(manifest: DatasetManifest, options: LoadOptions = {}): string {
  return joinPath(options.cache ?? environment('ASSAY_CACHE') ?? '.assay/data', manifest.mirror);
}

/**
 * Looks for a data set in the mirror, then in the cache, and checks what it finds.
 *
 * @returns undefined when it is in neither.
 * @throws DataError when a file is there but is not the one of the manifest.
 */
export async function findData(name: string, options: LoadOptions = {}): Promise<LocalData | undefined> {
  const manifest = manifestOf(name, options.manifests);
  const mirror = options.data ?? environment('ASSAY_DATA');
  const places: [string, LocalData['from']][] = [];
  if (mirror !== undefined) places.push([joinPath(mirror, manifest.mirror), 'mirror']);
  places.push([cachePath(manifest, options), 'cache']);
  for (const [path, from] of places) {
    if ((await fileSize(path)) === undefined) continue;
    await verify(manifest, path, from);
    return { manifest, path, from };
  }
  return undefined;
}

async function verify(manifest: DatasetManifest, path: string, from: string): Promise<void> {
  const advice =
    from === 'cache'
      ? `delete it and run "npx --no assay data pull ${manifest.name}"`
      : 'replace it in the mirror';
  const size = await fileSize(path);
  if (size !== manifest.bytes) {
    throw new DataError(`findData: ${path} must have ${manifest.bytes} bytes, got ${size}; ${advice}`);
  }
  const got = await sha256File(path);
  if (got !== manifest.sha256) {
    throw new DataError(`findData: ${path} must have sha256 ${manifest.sha256}, got ${got}; ${advice}`);
  }
}

/** Fetches a data set into the cache unless it is already on this machine. */
export async function pullData(name: string, options: LoadOptions = {}): Promise<LocalData> {
  const local = await findData(name, options);
  if (local) return local;
  const manifest = manifestOf(name, options.manifests);
  const { address, bytes, sha256 } = manifest;
  if (address === null) {
    throw new DataError(
      `pullData: ${name} must come from a mirror, got no address (${manifest.source}); set ASSAY_DATA to a folder that holds ${manifest.mirror}`,
    );
  }
  const path = cachePath(manifest, options);
  const { signal, onProgress } = options;
  await download({
    name,
    address,
    path,
    bytes,
    sha256,
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress } : {}),
  });
  return { manifest, path, from: 'download' };
}

/** Bytes of a data set: from the mirror, the cache, or, only with `allowDownload`, its address. */
export async function loadBytes(name: string, options: LoadOptions = {}): Promise<Uint8Array> {
  const local = options.allowDownload ? await pullData(name, options) : await findData(name, options);
  if (local) return readBytes(local.path);
  const manifest = manifestOf(name, options.manifests);
  const pull =
    manifest.address === null ? '' : `run "npx --no assay data pull ${name}" (${size(manifest.bytes)}), or `;
  throw new DataError(
    `loadBytes: ${name} must be on this machine, got neither mirror nor cache; ${pull}set ASSAY_DATA to a folder that holds ${manifest.mirror}`,
  );
}

/** A data set as UTF-8 text; see `loadBytes`. */
export async function loadText(name: string, options: LoadOptions = {}): Promise<string> {
  return new TextDecoder().decode(await loadBytes(name, options));
}

/** Bytes for people. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
