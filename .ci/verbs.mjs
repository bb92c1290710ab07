// Prints the verbs of the built command line, one a line.
const { verbs } = await import(new URL('../dist/kernel/cli/verbs.js', import.meta.url).href);
console.log(Object.keys(verbs).join('\n'));
