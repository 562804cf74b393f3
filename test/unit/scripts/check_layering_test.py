"""Each rule of scripts/check-layering finds its breach in a small tree, and nothing else."""

import os
import subprocess
import sys
import tempfile
import unittest

CHECK = os.path.join(os.path.dirname(__file__), "..", "..", "..", "scripts", "check-layering")

# A tree that keeps every rule.
CLEAN = {
    "protos/trove/v1/instance.proto": 'syntax = "proto3";\n',
    "libtrove/base/CMakeLists.txt": "target_sources(b PUBLIC FILE_SET HEADERS FILES id.h)\n",
    "libtrove/base/id.h": "#include <string>\n",
    "libtrove/base/id.cc": '#include "libtrove/base/id.h"\n#include <openssl/evp.h>\n',
    "libtrove/store/CMakeLists.txt":
        "target_sources(s\n PRIVATE store.cc\n PUBLIC FILE_SET HEADERS BASE_DIRS x FILES\n store.h)\n",
    "libtrove/store/store.h": '#include "libtrove/base/id.h"\n#include "trove/v1/instance.pb.h"\n',
    "libtrove/store/statement.h": "#include <sqlite3.h>\n",
    "libtrove/store/store.cc": '#include "libtrove/store/statement.h"\n',
    "services/api/main.cc": '#include "libtrove/store/store.h"\n#include <grpcpp/grpcpp.h>\n',
    "services/gateway/main.cc": "int main() {}\n",
    "test/support/fake.h": '#include "services/api/main.cc"\n',
    "test/unit/x_test.cc": '#include "test/support/fake.h"\nTEST_CASE("a sentence, with a comma") {}\n',
}


def findings_in(files):
    with tempfile.TemporaryDirectory() as root:
        for name, text in files.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        done = subprocess.run([sys.executable, CHECK, root], capture_output=True, text=True, check=False)
        assert done.stderr == "", done.stderr
        assert done.returncode == (1 if done.stdout else 0)
        return done.stdout.splitlines()


class CheckLayering(unittest.TestCase):
    def found(self, name, text, expected, line=1):
        found = findings_in({**CLEAN, name: text})
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"{name}:{line}: "), found[0])
        self.assertIn(expected, found[0])

    def test_a_clean_tree_has_no_findings(self):
        self.assertEqual(findings_in(CLEAN), [])

    def test_the_base_includes_nothing_of_ours(self):
        self.found("libtrove/base/id.h", '#include "libtrove/store/store.h"\n', "below or beside")
        self.found("libtrove/base/id.h", '#include "trove/v1/instance.pb.h"\n', "nothing of ours")

    def test_a_library_knows_no_service_and_no_test(self):
        self.found("libtrove/store/store.cc", '\n#include "services/api/main.cc"\n',
                   "libtrove does not know services", line=2)
        self.found("libtrove/store/store.cc", '#include "test/support/fake.h"\n', "only tests")

    def test_a_service_includes_no_other_service(self):
        self.found("services/gateway/main.cc", '#include "services/api/main.cc"\n', "meet in")

    def test_private_headers_stay_in_their_part(self):
        self.found("services/api/main.cc", '#include "libtrove/store/statement.h"\n', "another part")
        self.found("libtrove/store/store.h", '#include "libtrove/store/statement.h"\n', "in a public")

    def test_public_headers_name_no_c_library(self):
        for header in ("sqlite3.h", "nats/nats.h", "openssl/ssl.h", "mysql/mysql.h"):
            self.found("libtrove/store/store.h", f"#include <{header}>\n", "C library")

    def test_light_parts_have_light_headers(self):
        for header in ("grpcpp/grpcpp.h", "boost/beast/core.hpp", "catch2/catch.hpp"):
            self.found("libtrove/store/statement.h", f"#include <{header}>\n", "too heavy")

    def test_quotes_mean_ours_and_angle_brackets_do_not(self):
        self.found("services/api/main.cc", "#include <libtrove/base/id.h>\n", "in quotes")
        self.found("services/api/main.cc", "#include <trove/v1/instance.pb.h>\n", "in quotes")
        self.found("services/api/main.cc", '#include "string.h"\n', "not ours")
        self.found("services/api/main.cc", '#include "libtrove/base/gone.h"\n', "no such file")
        self.found("services/api/main.cc", '#include "trove/v1/gone.pb.h"\n', "no .proto")

    def test_ctest_finds_every_test_name(self):
        for name in ("a; b", "a \\\\ b", "a [b]", "*any", "~not"):
            found = findings_in({**CLEAN, "test/unit/x_test.cc": f'TEST_CASE("{name}") {{}}\n'})
            self.assertNotEqual(found, [], name)
        self.found("test/unit/x_test.cc", '\nTEST_CASE("in two "\n  "parts; with") {}\n', ";", line=2)

    def test_a_file_stays_short(self):
        self.found("services/api/main.cc", "//\n" * 601, "601 lines", line=601)

    def test_a_new_part_needs_a_rank(self):
        self.found("libtrove/novel/x.cc", "\n", "no rank")


if __name__ == "__main__":
    unittest.main()
