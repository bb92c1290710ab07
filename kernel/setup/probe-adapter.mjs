// Runs alone in a child process: asks dawn for an adapter and prints one JSON line. A driver that crashes takes
// only this process with it.
let answer;
try {
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  const gpu = create([]);
  const adapter = await gpu.requestAdapter();
  if (adapter) {
    const limits = {};
    for (const name in adapter.limits) {
      const value = adapter.limits[name];
      if (typeof value === 'number') limits[name] = value;
    }
    const { vendor, architecture, device, description } = adapter.info;
    const text = `${description} ${device} ${architecture}`;
    answer = {
      found: true,
      loadable: true,
      software:
        adapter.info.isFallbackAdapter === true || /llvmpipe|lavapipe|swiftshader|basic render/i.test(text),
      info: { vendor, architecture, device, description },
      features: [...adapter.features].sort(),
      limits,
    };
  } else {
    answer = { found: false, loadable: true, reason: 'no graphics driver answered' };
  }
} catch (error) {
  const missing = error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND';
  const reason = missing
    ? 'the webgpu package is not installed or has no build for this platform'
    : error.message;
  answer = { found: false, loadable: false, reason };
}
process.stdout.write(JSON.stringify(answer) + '\n', () => process.exit(0));
