/** What the kernel says about itself. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PROTOCOL_VERSION, type JsonObject } from './wire.js';

/** Content of kernel_info_reply; the adapter line is in the banner as soon as it is known. */
export class KernelInfo {
  adapter = '';
  private readonly version: string;
  private readonly typescript: string;

  constructor(root: string) {
    const manifest = join(root, 'package.json');
    this.version = versionIn(() => manifest);
    this.typescript = versionIn(() => createRequire(manifest).resolve('typescript/package.json'));
  }

  content(): JsonObject {
    return {
      status: 'ok',
      protocol_version: PROTOCOL_VERSION,
      implementation: 'assay',
      implementation_version: this.version,
      language_info: {
        name: 'typescript',
        version: this.typescript,
        mimetype: 'text/typescript',
        file_extension: '.ts',
        pygments_lexer: 'typescript',
        codemirror_mode: { name: 'javascript', mode: 'typescript', typescript: true },
        nbconvert_exporter: 'script',
      },
      banner: this.banner(),
      help_links: [
        { text: 'TypeScript', url: 'https://www.typescriptlang.org/docs/' },
        { text: 'Node.js', url: 'https://nodejs.org/docs/latest/api/' },
        { text: 'JavaScript (MDN)', url: 'https://developer.mozilla.org/docs/Web/JavaScript' },
        { text: 'WebGPU', url: 'https://www.w3.org/TR/webgpu/' },
      ],
      debugger: true,
      supported_features: ['debugger', 'kernel subshells'],
    };
  }

  private banner(): string {
    const first = `Assay ${this.version}: TypeScript ${this.typescript} on Node ${process.version}`;
    return this.adapter === '' ? first : `${first}\n${this.adapter}`;
  }
}

function versionIn(file: () => string): string {
  try {
    return (JSON.parse(readFileSync(file(), 'utf8')) as { version: string }).version;
  } catch {
    return 'unknown';
  }
}
