#include <gtest/gtest.h>

#include "tests/chaos/stopped.h"

namespace hawser::test {
namespace {

TEST(Stopped, OneOfTenIsStopped) {
    StoppedRun().expect_the_others_unharmed();
}

}  // namespace
}  // namespace hawser::test
