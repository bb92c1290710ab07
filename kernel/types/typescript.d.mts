import ts from 'typescript';
export const cacheFile: string;
export function codeCache(): Buffer;
export const cacheServed: boolean;
export default ts;
