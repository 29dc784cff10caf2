#!/usr/bin/env python3
"""test/tidy_test.py

Goal: each check of tools/tidy finds what it is for and leaves its look-alikes alone.
Method: one small file in, the texts of the problems out.
"""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIDY = os.path.join(ROOT, "tools", "tidy")


def load_tidy():
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("tidy", TIDY)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("tidy", loader))
    loader.exec_module(module)
    return module


tidy = load_tidy()

LAYERS = tidy.Layers("""
[edges]
broker/mqtt: storage/base
broker/session: storage/* broker/mqtt
[outside]
broker/net/*
tools/*
[allow]
hpp storage/base/wide.hpp 200
catch broker/app/main.cpp
friend storage/kv/old.hpp
""")


class CheckTest(unittest.TestCase):
    def problems(self, check, path, text, layers=LAYERS):
        return [(one.line, one.text) for one in check(tidy.Source(path, text), layers)]

    def assert_found(self, check, path, text, hint, line=1):
        found = self.problems(check, path, text)
        self.assertEqual(len(found), 1, (text, found))
        self.assertEqual(found[0][0], line, text)
        self.assertIn(hint, found[0][1])

    def assert_fine(self, check, path, text):
        self.assertEqual(self.problems(check, path, text), [], text)


class EdgesTest(CheckTest):
    def test_includes_point_down_only(self):
        self.assert_found(tidy.check_edges, "storage/kv/a.cpp", '\n#include "broker/mqtt/b.hpp"',
                          "storage must not include broker", 2)
        self.assert_found(tidy.check_edges, "cluster/wire/a.cpp", '#include "broker/mqtt/b.hpp"',
                          "cluster must not include broker")
        self.assert_found(tidy.check_edges, "broker/mqtt/a.cpp", '#include "test/support/b.hpp"',
                          "must not include test/support")
        self.assert_found(tidy.check_edges, "broker/mqtt/a.cpp", '#include "b.hpp"',
                          "must not include b.hpp")

    def test_folders_follow_the_listed_edges(self):
        self.assert_found(tidy.check_edges, "broker/mqtt/a.cpp", '#include "broker/session/b.hpp"',
                          "broker/mqtt must not include broker/session")
        self.assert_fine(tidy.check_edges, "broker/mqtt/a.cpp",
                         '#include "broker/mqtt/b.hpp"\n#include "storage/base/c.hpp"\n')
        self.assert_fine(tidy.check_edges, "broker/session/a.cpp", '#include "storage/kv/c.hpp"')
        self.assert_fine(tidy.check_edges, "test/broker/a.cpp", '#include "broker/net/b.hpp"')


class OutsideTest(CheckTest):
    def test_cores_include_nothing_that_does_io(self):
        for header in ("boost/asio.hpp", "boost/beast/http.hpp", "openssl/evp.h", "rocksdb/db.h",
                       "spdlog/spdlog.h", "curl/curl.h", "thread", "mutex", "shared_mutex"):
            text = f"#include <{header}>"
            self.assert_found(tidy.check_outside, "broker/session/a.cpp", text, header)
            self.assert_fine(tidy.check_outside, "broker/net/a.cpp", text)
        self.assert_fine(tidy.check_outside, "broker/session/a.cpp",
                         "#include <boost/unordered/unordered_flat_map.hpp>\n// <mutex>")

    def test_json_stays_out_of_headers(self):
        text = "#include <nlohmann/json.hpp>"
        self.assert_found(tidy.check_outside, "broker/net/a.hpp", text, "into a .cpp")
        self.assert_fine(tidy.check_outside, "broker/stream/a.cpp", text)
        self.assert_fine(tidy.check_outside, "broker/stream/a.hpp",
                         "#include <nlohmann/json_fwd.hpp>")


class BansTest(CheckTest):
    def test_cores_do_not_ask_the_world(self):
        for text in ("auto t = std::chrono::steady_clock::now();", "system_clock::time_point t;",
                     "std::random_device d;", "int x = rand ();", 'getenv("X");',
                     "std::this_thread::sleep_for(1s);", "thread_local int x;"):
            self.assert_found(tidy.check_bans, "broker/session/a.cpp", "\n" + text, "a core", 2)
            self.assert_fine(tidy.check_bans, "broker/net/a.cpp", text)

    def test_comments_and_literals_do_not_count(self):
        for text in ("// rand() and friend", "/* getenv( \n friend */", 'f("friend rand()");',
                     'f(R"(friend " rand())");', "char c = '\"'; // friend", "int strand(int);",
                     "x = 1'000'000; operand(3);"):
            self.assert_fine(tidy.check_bans, "broker/session/a.cpp", text)

    def test_friend_and_catch_all_need_an_allowance(self):
        self.assert_found(tidy.check_bans, "broker/net/a.hpp", "friend class B;", "friend")
        self.assert_found(tidy.check_bans, "broker/net/a.cpp", "} catch (...) {", "catch")
        self.assert_fine(tidy.check_bans, "broker/app/main.cpp", "} catch (...) {")
        self.assert_fine(tidy.check_bans, "storage/kv/old.hpp", "friend class B;")
        self.assert_fine(tidy.check_bans, "broker/net/a.cpp", "} catch (const E&) {")

    def test_what_is_left_to_do_has_an_issue(self):
        todo, fixme = "TO" + "DO", "FIX" + "ME"
        self.assert_found(tidy.check_bans, "broker/net/a.cpp", f"// {todo}: later", "issue")
        self.assert_found(tidy.check_bans, "test/a.py", f"# {fixme} #12", "issue")
        self.assert_fine(tidy.check_bans, "broker/net/a.cpp", f"// {todo}(#12): later")

    def test_coroutine_traps(self):
        path = "broker/net/a.cpp"
        for text in ("co_await async_run([this] { go(); }, use_awaitable);",
                     "auto x = co_await f(a,\n   [&, x](int y) { return y; });"):
            self.assert_found(tidy.check_bans, path, text, "inside a co_await")
        self.assert_found(tidy.check_bans, path,
                          "spawn(io, [self]() -> asio::awaitable<void> { co_return; });",
                          "coroutine lambda that captures")
        for text in ("co_await f(table[i], g(x));", "co_await f([] { return 1; });",
                     "auto done = [this] { go(); };\nco_await f(done);",
                     "spawn(io, [](Self self) -> awaitable<void> { co_return; });"):
            self.assert_fine(tidy.check_bans, path, text)


class TextTest(CheckTest):
    def test_blanks_and_long_lines(self):
        path = "broker/net/a.cpp"
        self.assert_found(tidy.check_text, path, "a\n\tb", "a tab", 2)
        self.assert_found(tidy.check_text, path, "a \n", "end of the line")
        self.assert_found(tidy.check_text, path, "x" * 101, "101 columns")
        self.assert_fine(tidy.check_text, path, "x" * 100)
        self.assert_fine(tidy.check_text, path,
                         "// clang-format off\n" + "x" * 101 + "\n// clang-format on\n")
        self.assert_found(tidy.check_text, path,
                          "// clang-format off\n// clang-format on\n" + "x" * 101, "101", 3)

    def test_headers_begin_with_their_path(self):
        self.assert_fine(tidy.check_text, "broker/net/a.hpp",
                         "// broker/net/a.hpp\n//\n#pragma once\n")
        self.assert_found(tidy.check_text, "broker/net/a.hpp", "// broker/net/a.hpp\n", "#pragma")
        self.assert_found(tidy.check_text, "broker/net/a.hpp", "// net/a.hpp\n#pragma once\n",
                          "begins with")

    def test_names_say_what_a_file_holds(self):
        for name in ("util", "string_helper", "session_manager", "misc", "common"):
            self.assert_found(tidy.check_name, f"broker/net/{name}.cpp", "", "names nothing")
        self.assert_found(tidy.check_name, "broker/common/a.cpp", "", "names nothing")
        self.assert_fine(tidy.check_name, "broker/net/utility_meter.cpp", "")
        self.assert_fine(tidy.check_name, "broker/command/command.cpp", "")


def function(name, lines):
    return f"void {name}(int x) {{\n" + "  if (x) { f(); }\n" * (lines - 2) + "}\n"


class SizesTest(CheckTest):
    def test_files(self):
        self.assert_fine(tidy.check_sizes, "storage/base/a.hpp", "\n" * 150)
        self.assert_found(tidy.check_sizes, "storage/base/a.hpp", "\n" * 151, "at most 150")
        self.assert_fine(tidy.check_sizes, "storage/base/a.cpp", "\n" * 400)
        self.assert_found(tidy.check_sizes, "storage/base/a.cpp", "\n" * 401, "at most 400")

    def test_allowances_only_shrink(self):
        path = "storage/base/wide.hpp"
        self.assert_fine(tidy.check_sizes, path, "\n" * 200)
        self.assert_found(tidy.check_sizes, path, "\n" * 201, "at most 200")
        self.assert_found(tidy.check_sizes, path, "\n" * 199, "lower it to 199")
        self.assert_found(tidy.check_sizes, path, "\n" * 150, "remove it")

    def test_functions(self):
        path = "storage/base/a.cpp"
        before = "namespace a {\nstruct B {\n  int x = f({1}, {2});\n"
        self.assert_fine(tidy.check_sizes, path, before + function("f", 75) + "};\n}\n")
        self.assert_found(tidy.check_sizes, path, before + function("f", 76) + "};\n}\n",
                          "f: 76 lines", 4)

    def test_function_names_and_lengths(self):
        text = """
#define NOT(x) { (
namespace a {
template <class T>
  requires(sizeof(T) > 1)
A::A(int x) : b_{x}, c_{x} {
  f([] { g(); });
}
constexpr int table[] = {1, 2, f(3)};
enum class E : int { a, b };
bool A::operator==(const A& other) const { return true; }
inline std::string g(std::string_view text = "{") {
  return "}";
}
class C final : public D {
 public:
  explicit C(int x)
      : x_(x) {}
};
TEST_CASE("A { sentence", "[tag]") {
  SECTION("one") { f(); }
}
}
"""
        found = list(tidy.functions_of(tidy.Source("storage/base/a.cpp", text)))
        self.assertEqual([(name, lines) for name, _, lines in found],
                         [("A::A", 5), ("A::operator==", 1), ("g", 3), ("C", 2), ("TEST_CASE", 3)])

    def test_an_allowance_for_what_is_gone_is_found(self):
        layers = tidy.Layers("[allow]\ncpp storage/base/gone.cpp 500\n")
        self.assertEqual(len(list(tidy.check_allowances([], layers))), 1)


class TreeTest(unittest.TestCase):
    def run_tidy(self, files):
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            done = subprocess.run([sys.executable, TIDY, "--root", root], capture_output=True,
                                  text=True, check=False)
            return done.returncode, done.stdout

    def test_a_clean_tree(self):
        files = {"CMakeLists.txt": "", ".gitignore": "", "README.md": "",
                 "storage/base/a.hpp": "// storage/base/a.hpp\n#pragma once\n",
                 "build/x.cpp": "\t", "tools/layers.txt": "[edges]\nstorage/base:\n"}
        self.assertEqual(self.run_tidy(files), (0, ""))

    def test_problems_have_places_and_the_top_level_is_fixed(self):
        code, text = self.run_tidy({"notes.txt": "", "storage/base/a.cpp": "int x; \n"})
        self.assertEqual(code, 1)
        self.assertEqual(text, "notes.txt:1: does not belong on the top level\n"
                               "storage/base/a.cpp:1: blanks at the end of the line\n")


if __name__ == "__main__":
    unittest.main()
