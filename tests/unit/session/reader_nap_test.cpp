#include "runtime/session/reader_nap.h"

#include <gtest/gtest.h>

namespace hawser::session {
namespace {

using namespace std::chrono_literals;

struct Reader {
    ReaderNap nap;
    TimePoint now{1s};
    std::uint64_t objects = 1;

    // Waits so many times, and each brings so many objects after so long. How often it napped.
    int waits(int count, std::uint64_t each, Duration after) {
        int naps = 0;
        for (int i = 0; i < count; ++i) {
            naps += nap.naps(now, objects);
            now += after;
            objects += each;
        }
        return naps;
    }
};

TEST(ReaderNap, AReaderOfADenseStreamNaps) {
    EXPECT_GE(Reader().waits(100, 100, 50us), 90);
}

TEST(ReaderNap, OneOfAStreamOfAThousandASecondNever) {
    EXPECT_EQ(Reader().waits(1000, 1, 1ms), 0);
}

TEST(ReaderNap, NorOneOfObjectsThatCloselyFollowOneAnother) {
    EXPECT_EQ(Reader().waits(1000, 4, 20us), 0);
}

TEST(ReaderNap, NorOneOfBursts) {
    Reader reader;
    for (int frame = 0; frame < 100; ++frame) {
        EXPECT_EQ(reader.waits(2, 100, 100us), 0);  // a frame, in two parts
        EXPECT_EQ(reader.waits(1, 0, 33ms), 0);
    }
}

TEST(ReaderNap, ANapThatBroughtLittleIsTheLast) {
    Reader reader;
    EXPECT_GT(reader.waits(10, 100, 50us), 0);
    reader.objects += 1;  // more than the last wait brought; and then it becomes sparse
    reader.waits(1, 2, 100us);
    EXPECT_EQ(reader.waits(100, 2, 100us), 0);
    EXPECT_GT(reader.waits(10, 100, 50us), 0);
}

}  // namespace
}  // namespace hawser::session
