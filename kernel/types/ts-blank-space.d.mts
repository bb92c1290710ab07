export { blankSourceFile } from 'ts-blank-space';
