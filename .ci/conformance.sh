#!/usr/bin/env bash
# The kernel `assay` before outside judges, in an environment of its own (.assay/conformance): the public suite
# jupyter_kernel_test, and the probe named by ASSAY_CONFORMANCE where there is one.
set -euo pipefail
cd "$(dirname "$0")/.."
place="$PWD/.assay/conformance"
python="$place/venv/bin/python"
if ! "$python" -c 'import jupyter_kernel_test' 2> /dev/null; then
  rm -rf "$place"
  .venv/bin/python -m venv "$place/venv"
  "$python" -m pip install --quiet --disable-pip-version-check jupyter_kernel_test==0.7.0
fi
node kernel/cli/bin.mjs jupyter install --prefix "$place/venv" --kernel assay
export ASSAY_HISTORY="$place/history.jsonl"
(cd "$place" && "$python" -m unittest discover -s "$OLDPWD/test/kernel/conformance" -p 'test_*.py')

probe="${ASSAY_CONFORMANCE:-}"
if [ -z "$probe" ]; then exit 0; fi
# The probe imports an ESM-only package and the compiler from the folder it runs in.
mkdir -p "$place/folder"
if [ ! -d "$place/folder/node_modules/p-limit" ]; then
  (cd "$place/folder" && echo '{"name":"probe","version":"1.0.0","private":true}' > package.json &&
    npm install --silent --no-audit --no-fund p-limit typescript@5.9.3)
fi
"$python" "$probe" assay --dialect test/kernel/conformance/assay-dialect.json --cwd "$place/folder" \
  --json "$place/probe.json"
"$python" - "$place/probe.json" << 'PYTHON'
import json, sys
bad = [r for r in json.load(open(sys.argv[1]))["results"] if r["verdict"] in ("FAIL", "PART")]
for r in bad:
    print(r["verdict"], r["check"], r["detail"])
sys.exit(1 if bad else 0)
PYTHON
