#include "runtime/base/text.h"

#include <gtest/gtest.h>

namespace hawser {
namespace {

TEST(NearestTest, FindsLikelyTyposOnly) {
    const std::vector<std::string> names = {"videoconvert", "videoscale", "x264enc", "tee"};
    EXPECT_EQ(nearest("videoconvrt", names), "videoconvert");
    EXPECT_EQ(nearest("videocale", names), "videoscale");
    EXPECT_EQ(nearest("x264nec", names), "x264enc");  // transposed
    EXPECT_EQ(nearest("eet", {"tee"}), "tee");
    EXPECT_EQ(nearest("matroskamux", names), "");
    EXPECT_EQ(nearest("tee", {}), "");
}

TEST(FormatTest, Durations) {
    EXPECT_EQ(format_duration(0), "0 ns");
    EXPECT_EQ(format_duration(45'000), "45.0 µs");
    EXPECT_EQ(format_duration(120'000'000), "120 ms");
    EXPECT_EQ(format_duration(1'500'000'000), "1.50 s");
    EXPECT_EQ(format_duration(-1'500'000'000), "-1.50 s");
}

TEST(FormatTest, Bytes) {
    EXPECT_EQ(format_bytes(999), "999 B");
    EXPECT_EQ(format_bytes(12'300'000), "12.3 MB");
    EXPECT_EQ(format_bytes(2'000'000'000), "2.00 GB");
}

TEST(PrintableTest, EscapesAndBounds) {
    EXPECT_EQ(printable("GET / HTTP/1.1\r\n"), "GET / HTTP/1.1\\x0d\\x0a");
    EXPECT_EQ(printable(std::string_view("\0\xff\\", 3)), "\\x00\\xff\\x5c");
    EXPECT_EQ(printable("abcdef", 3), "abc…");
    EXPECT_EQ(printable("abc", 3), "abc");
}

}  // namespace
}  // namespace hawser
