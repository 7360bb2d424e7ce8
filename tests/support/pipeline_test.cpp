#include "tests/support/pipeline.h"

#include <gtest/gtest.h>

#include "tests/support/link.h"
#include "tests/support/process.h"

namespace hawser::test {
namespace {

TEST(Pipeline, RecordsBuffersEventsAndMessages) {
    Pipeline pipeline(
        "fakesrc num-buffers=5 sizetype=fixed sizemax=100 filltype=pattern format=time ! fakesink name=end");
    auto recorder = pipeline.record("end");
    pipeline.play();
    ASSERT_TRUE(pipeline.wait_eos(kSoon)) << pipeline.log();
    EXPECT_EQ(recorder->count(), 5u);
    EXPECT_EQ(recorder->bytes(), 500u);
    EXPECT_TRUE(recorder->wait_event(GST_EVENT_SEGMENT, kSoon));
    EXPECT_EQ(recorder->events(GST_EVENT_EOS).size(), 1u);
    EXPECT_EQ(recorder->events(GST_EVENT_EOS)[0].before, 5u);
    EXPECT_TRUE(pipeline.errors().empty());
}

TEST(Pipeline, GivesErrors) {
    Pipeline pipeline("filesrc location=/nonexistent ! fakesink");
    pipeline.set_state(GST_STATE_PLAYING);
    const auto error = pipeline.wait_error(kSoon);
    ASSERT_TRUE(error);
    EXPECT_NE(error->text.find("not found"), std::string::npos) << error->text;
    EXPECT_FALSE(pipeline.errors().empty());
}

TEST(Media, TheSameFileGivesTheSameBuffersTwice) {
    const std::string description =
        "filesrc location=" + webm_file() + " ! matroskademux ! fakesink name=end";
    const auto one = run_to_end(description);
    auto two = run_to_end(description);
    EXPECT_EQ(one.size(), 557u);
    EXPECT_EQ(difference(one, two), "");
    two.erase(two.begin() + 3);
    EXPECT_NE(difference(one, two).find("1 missing, 0 doubled"), std::string::npos) << difference(one, two);
    EXPECT_EQ(random_bytes(100, 7), random_bytes(100, 7));
    EXPECT_EQ(md5("", 0), "d41d8cd98f00b204e9800998ecf8427e");
}

}  // namespace
}  // namespace hawser::test
