#include "tests/perf/table.h"

#include <gmock/gmock.h>

#include "tests/perf/plot.h"

namespace hawser::perf {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Number, KeepsThreeDigitsThatCount) {
    EXPECT_EQ(number(1234567.8), "1 234 568");
    EXPECT_EQ(number(999.7), "1 000");
    EXPECT_EQ(number(103.4), "103");
    EXPECT_EQ(number(12.34), "12.3");
    EXPECT_EQ(number(20), "20");
    EXPECT_EQ(number(1.234), "1.23");
    EXPECT_EQ(number(0.0451), "0.045");
    EXPECT_EQ(number(0), "0");
    EXPECT_EQ(number(-1234.0), "-1 234");
    EXPECT_EQ(number(-123.0), "-123");
}

TEST(Summary, IsMedianAndSpread) {
    EXPECT_FALSE(summarize({}));
    const auto odd = summarize({3, 1, 2});
    EXPECT_EQ(odd->median, 2);
    EXPECT_EQ(odd->low, 1);
    EXPECT_EQ(odd->high, 3);
    EXPECT_EQ(summarize({1, 2, 3, 10})->median, 2.5);
}

Table two_rows() {
    Table table("Title", {{"rate", "objects/s"}}, "Notes.");
    table.ratio("times", "× peer", "rate", "peer");
    table.add("ours", {{"rate", 1000}});
    table.add("peer", {{"rate", 100}});
    table.add("ours", {{"rate", 1200}});
    table.add("peer", {{"rate", 60}});
    table.add("ours", {{"rate", 1100}});
    table.add("peer", {{"rate", 110}});
    return table;
}

TEST(Table, DividesRoundByRound) {
    const Table table = two_rows();
    EXPECT_EQ(table.summary("ours", "times")->median, 10);
    EXPECT_EQ(table.summary("ours", "times")->high, 20);
    EXPECT_EQ(table.summary("peer", "times")->low, 1);
    EXPECT_FALSE(table.summary("nobody", "rate"));
}

TEST(Table, TellsGoalsMetAndMissed) {
    Table table = two_rows();
    table.at_least("ours", "times", 10);
    EXPECT_TRUE(table.goals_met());
    EXPECT_THAT(table.markdown(), HasSubstr("× peer ≥ 10: met"));
    table.at_most("ours", "rate", 1000);
    EXPECT_FALSE(table.goals_met());
    EXPECT_THAT(table.markdown(), HasSubstr("objects/s ≤ 1 000: **missed**"));
    EXPECT_THAT(table.json(), HasSubstr("\"met\": false"));
}

TEST(Table, ShowsMediansWithSpread) {
    EXPECT_THAT(two_rows().markdown(), HasSubstr("1 100 (1 000…1 200)"));
    EXPECT_THAT(two_rows().markdown(), HasSubstr("Notes."));
}

TEST(Table, DoesNotCountWhatFailed) {
    Table table = two_rows();
    EXPECT_TRUE(table.complete());
    Sample bad = Sample::failed("3 of 5 arrived");
    bad.values["rate"] = 1e9;
    table.add("ours", bad);
    EXPECT_FALSE(table.complete());
    EXPECT_EQ(table.summary("ours", "rate")->high, 1200);
    EXPECT_THAT(table.markdown(), HasSubstr("Failed: ours: 3 of 5 arrived"));
}

TEST(Plot, HasACurveASeriesAndLeavesOutWhatALogarithmCannotShow) {
    const Plot plot{
        "name", "a < b", "x", "y", true, true, {{"one", {{1, 1}, {10, 0}, {100, 5}}}, {"two", {{1, 2}}}}};
    const std::string text = svg(plot);
    EXPECT_THAT(text, HasSubstr("a &lt; b"));
    EXPECT_THAT(text, HasSubstr(">one<"));
    EXPECT_THAT(text, HasSubstr(">two<"));
    EXPECT_THAT(text, Not(HasSubstr("nan")));
    EXPECT_THAT(text, Not(HasSubstr("inf")));
}

}  // namespace
}  // namespace hawser::perf
