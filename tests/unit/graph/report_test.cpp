#include "graph/model/report.h"

#include <gtest/gtest.h>

namespace hawser::graph {
namespace {

Location at(std::uint32_t line, std::uint32_t column, std::uint32_t length) {
    Location where;
    where.set_file("f");
    where.set_line(line);
    where.set_column(column);
    where.set_length(length);
    return where;
}

TEST(Report, CountsCharactersNotBytes) {
    Diagnostics diagnostics;
    add_error(diagnostics, at(1, 7, 4), "wrong");  // "é → ÿÿ": 2 + 1 + 3 bytes before
    EXPECT_EQ(report(diagnostics, {{"f", "é→ ÿÿ x\n"}}),
              "f:1:4: error: wrong\n    1 | é→ ÿÿ x\n      |    ^~\n");
}

TEST(Report, CutsLongLines) {
    Diagnostics diagnostics;
    add_warning(diagnostics, at(1, 1001, 3), "far", "nearer");
    const std::string text =
        report(diagnostics, {{"f", std::string(1000, 'x') + "abc" + std::string(1000, 'y')}});
    EXPECT_LT(text.size(), 600u);
    EXPECT_NE(text.find("…xxx"), std::string::npos);
    EXPECT_NE(text.find("^~~\n      hint: nearer\n"), std::string::npos);
    EXPECT_NE(text.find("f:1:1001: warning: far\n"), std::string::npos);
}

TEST(Report, SurvivesPlacesThatAreNotThere) {
    Diagnostics diagnostics;
    add_error(diagnostics, at(99, 1, 1), "a");
    add_error(diagnostics, at(1, 99, 99), "b");
    add_error(diagnostics, {}, "c");
    EXPECT_EQ(report(diagnostics, {{"f", "x\ty"}}),
              "f:99:1: error: a\nf:1:4: error: b\n    1 | x y\n      |    ^\nerror: c\n");
    EXPECT_EQ(report(diagnostics, {}), "f:99:1: error: a\nf:1:99: error: b\nerror: c\n");
}

TEST(Report, Colours) {
    Diagnostics diagnostics;
    add_error(diagnostics, at(1, 1, 1), "a", "h");
    EXPECT_EQ(report(diagnostics, {{"f", "x"}}, {.colour = true}),
              "\033[1mf:1:1:\033[0m \033[1;31merror:\033[0m \033[1ma\033[0m\n    1 | x\n      | "
              "\033[1;32m^\033[0m\n      \033[36mhint:\033[0m h\n");
}

TEST(Report, Summary) {
    Diagnostics diagnostics;
    EXPECT_EQ(summary(diagnostics), "no errors");
    add_warning(diagnostics, {}, "w");
    add_error(diagnostics, {}, "a");
    add_error(diagnostics, {}, "a");
    EXPECT_EQ(summary(diagnostics), "2 errors, 1 warning");
    sort_diagnostics(diagnostics);
    EXPECT_EQ(summary(diagnostics), "1 error, 1 warning") << "repetitions go";
}

TEST(Report, TheCaretStandsBelowWideCharacters) {
    const ReadResult read = read_graph_text("a 日本 é= x", "w.launch", {});
    Diagnostics diagnostics;
    Location where;
    where.set_file("w.launch");
    where.set_line(1);
    where.set_column(14);  // bytes
    where.set_length(1);
    add_error(diagnostics, where, "here");
    EXPECT_NE(report(diagnostics, read.sources).find("| a 日本 é= x\n      |           ^"), std::string::npos)
        << report(diagnostics, read.sources);
}

}  // namespace
}  // namespace hawser::graph
