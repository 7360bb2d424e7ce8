#include "runtime/base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace hawser {
namespace {

bool is_open(int fd) {
    return fcntl(fd, F_GETFD) != -1;
}

TEST(FdTest, HasOneOwnerWhichCloses) {
    int raw = -1;
    {
        Fd first(open("/dev/null", O_RDONLY | O_CLOEXEC));
        raw = first.get();
        ASSERT_TRUE(first);
        Fd second(std::move(first));
        EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that it is empty is the point
        EXPECT_EQ(second.get(), raw);
        EXPECT_TRUE(is_open(raw));
    }
    EXPECT_FALSE(is_open(raw));
}

TEST(FdTest, AssignmentClosesWhatWasHeld) {
    Fd first(open("/dev/null", O_RDONLY | O_CLOEXEC));
    Fd second(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const int lost = first.get();
    first = std::move(second);
    EXPECT_FALSE(is_open(lost));
    EXPECT_TRUE(is_open(first.get()));
}

TEST(FdTest, ReleaseGivesUpOwnership) {
    Fd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const int raw = fd.release();
    EXPECT_FALSE(fd);
    EXPECT_TRUE(is_open(raw));
    fd.reset(raw);
    fd.reset();
    EXPECT_FALSE(is_open(raw));
}

}  // namespace
}  // namespace hawser
