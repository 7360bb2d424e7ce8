#include "graph/model/values.h"

#include <gtest/gtest.h>

namespace hawser::graph {
namespace {

TEST(Values, Durations) {
    EXPECT_EQ(parse_duration_ms("250ms"), 250u);
    EXPECT_EQ(parse_duration_ms("2s"), 2000u);
    EXPECT_EQ(parse_duration_ms("2 s"), 2000u);
    EXPECT_EQ(parse_duration_ms("1.5m"), 90000u);
    EXPECT_EQ(parse_duration_ms("1h"), 3600000u);
    for (const char* bad : {"", "s", "5", "5 sec", "-5s", "1e3s", "1..2s", "0s", "0.1ms", "1001h",
                            "99999999999999999999999h", ".5s", "5s 5s", "0x5s"})
        EXPECT_FALSE(parse_duration_ms(bad)) << bad;
}

TEST(Values, Ranges) {
    const auto range = parse_duration_range("250ms..30s");
    ASSERT_TRUE(range);
    EXPECT_EQ(range->min_ms, 250u);
    EXPECT_EQ(range->max_ms, 30000u);
    EXPECT_EQ(parse_duration_range("1.5s .. 2s")->min_ms, 1500u);
    EXPECT_EQ(parse_duration_range("1s")->max_ms, 1000u);
    for (const char* bad : {"2s..1s", "1s..", "..1s", "1s...2s", "1s-2s"})
        EXPECT_FALSE(parse_duration_range(bad)) << bad;
}

TEST(Values, Intensity) {
    EXPECT_EQ(parse_intensity("5/60s")->count, 5u);
    EXPECT_EQ(parse_intensity("0/1m")->window_ms, 60000u);
    for (const char* bad : {"5", "5/", "/60s", "-1/60s", "5/60", "a/60s"})
        EXPECT_FALSE(parse_intensity(bad)) << bad;
}

TEST(Values, Utf8) {
    for (const char* good : {"", "abc", "é→𝄞"}) EXPECT_TRUE(is_utf8(good)) << good;
    for (const char* bad : {"\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"})
        EXPECT_FALSE(is_utf8(bad));
    EXPECT_EQ(valid_utf8("ab\xff"), 2u);
}

}  // namespace
}  // namespace hawser::graph
