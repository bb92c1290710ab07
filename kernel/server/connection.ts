/** Connection files: where a kernel listens and the key that signs its messages. */
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';

/** What a connection file says. */
export interface Connection {
  readonly transport: 'tcp' | 'ipc';
  readonly ip: string;
  readonly shell_port: number;
  readonly iopub_port: number;
  readonly stdin_port: number;
  readonly control_port: number;
  readonly hb_port: number;
  readonly key: string;
  readonly signature_scheme: string;
  readonly kernel_name?: string;
}

export type Channel = 'shell' | 'iopub' | 'stdin' | 'control' | 'hb';
export const CHANNELS: readonly Channel[] = ['shell', 'iopub', 'stdin', 'control', 'hb'];

/** Reads and checks a connection file. */
export function readConnectionFile(file: string): Connection {
  const value = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  const fail = (name: string, want: string) => {
    throw new Error(`connection file ${file}: ${name} must be ${want}, got ${JSON.stringify(value[name])}`);
  };
  const transport = value.transport ?? 'tcp';
  if (transport !== 'tcp' && transport !== 'ipc') fail('transport', '"tcp" or "ipc"');
  if (typeof value.ip !== 'string' || value.ip === '') fail('ip', 'an address');
  if (typeof value.key !== 'string') fail('key', 'text (empty for unsigned messages)');
  const scheme = value.signature_scheme ?? 'hmac-sha256';
  if (typeof scheme !== 'string' || !/^hmac-\w+$/.test(scheme))
    fail('signature_scheme', 'like "hmac-sha256"');
  for (const channel of CHANNELS) {
    const port = value[`${channel}_port`];
    if (!Number.isInteger(port) || (port as number) < 1 || (port as number) > 65_535)
      fail(`${channel}_port`, 'a port number');
  }
  return { ...value, transport, signature_scheme: scheme } as Connection;
}

/** Address of one channel as ZeroMQ writes it. */
export function address(connection: Connection, channel: Channel): string {
  const port = connection[`${channel}_port`];
  if (connection.transport === 'ipc') return `ipc://${connection.ip}-${port}`;
  const ip = connection.ip.includes(':') ? `[${connection.ip}]` : connection.ip;
  return `tcp://${ip}:${port}`;
}

/** A new connection on free ports of this machine, written to `file`. */
export async function createConnectionFile(
  file: string,
  options: { transport?: 'tcp' | 'ipc'; ip?: string; kernelName?: string } = {},
): Promise<Connection> {
  const transport = options.transport ?? 'tcp';
  const ip = options.ip ?? (transport === 'tcp' ? '127.0.0.1' : `${file.replace(/\.json$/, '')}-ipc`);
  const ports = transport === 'tcp' ? await freePorts(ip, CHANNELS.length) : [1, 2, 3, 4, 5];
  const connection: Connection = {
    transport,
    ip,
    shell_port: ports[0],
    iopub_port: ports[1],
    stdin_port: ports[2],
    control_port: ports[3],
    hb_port: ports[4],
    key: randomUUID(),
    signature_scheme: 'hmac-sha256',
    kernel_name: options.kernelName ?? '',
  };
  // The key lets anybody run code here, so nobody else may read it.
  writeFileSync(file, JSON.stringify(connection, null, 1), { mode: 0o600 });
  return connection;
}

/** Ports nobody listens on, all different: they are held until the last one is found. */
async function freePorts(ip: string, count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, ip, () => resolve((server.address() as AddressInfo).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
