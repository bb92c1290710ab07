"""The public suite jupyter_kernel_test on the kernel `assay`; run by .ci/conformance.sh, which installs both."""

import unittest

import jupyter_kernel_test


class AssayKernel(jupyter_kernel_test.KernelTests):
    kernel_name = "assay"
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('test')"
    code_generate_error = "throw new Error('x')"
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "const half: number = 21;\nhalf * 2", "result": "42"},
    ]
    code_display_data = [
        {"code": "import { display } from 'tslab';\ndisplay.html('<b>x</b>')", "mime": "text/html"}
    ]
    code_clear_output = "import { clearOutput } from 'assay/notebook';\nclearOutput()"
    completion_samples = [{"text": "Mat", "matches": {"Math"}}]
    complete_code_samples = ["const a = 1", "1 + 1"]
    incomplete_code_samples = ["for (let i = 0; i < 3; i++) {", "const s = `abc"]
    invalid_code_samples = ["const = = )"]
    supported_history_operations = ("tail", "range", "search")
    code_history_pattern = "6?*7*"
    code_inspect_sample = "parseInt"


if __name__ == "__main__":
    unittest.main()
