#include "elements/reporter.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "elements/gst_ptr.h"

namespace hawser::elements {
namespace {

// An element whose bus tells of each message before it is queued.
class ReporterTest : public testing::Test {
  protected:
    static void SetUpTestSuite() { gst_init(nullptr, nullptr); }
    ReporterTest()
        : element_(Ptr<GstElement>::adopt(
              static_cast<GstElement*>(gst_object_ref_sink(gst_bin_new(nullptr))))),  // needs no plugin
          bus_(Ptr<GstBus>::adopt(gst_bus_new())) {
        gst_element_set_bus(element_.get(), bus_.get());
        gst_bus_set_sync_handler(
            bus_.get(),
            [](GstBus*, GstMessage* message, gpointer self) {
                static_cast<ReporterTest*>(self)->see(message);
                return GST_BUS_DROP;
            },
            this, nullptr);
        reporter_.emplace(element_.get(), Direction::Sends);
        reporter_->start();
    }
    ~ReporterTest() override {
        reporter_->stop();
        gst_element_set_bus(element_.get(), nullptr);
    }

    void see(GstMessage* message) {
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
            std::unique_lock lock(mutex_);
            posting_ = true;
            changed_.notify_all();
            // Long enough for who does not wait.
            went_on_ = changed_.wait_for(lock, std::chrono::milliseconds(50), [this] { return returned_; });
            ++errors_;
        }
        gst_message_unref(message);
    }
    template <typename Condition>
    bool wait(Condition condition) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(10), condition);
    }

    Ptr<GstElement> element_;
    Ptr<GstBus> bus_;
    std::optional<Reporter> reporter_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool posting_ = false;   // mutex_
    bool returned_ = false;  // mutex_
    bool went_on_ = false;   // mutex_
    int errors_ = 0;         // mutex_
};

// Or whoever is upstream of it reports "Internal data stream error" first.
TEST_F(ReporterTest, AStreamingThreadGoesOnOnlyWhenTheErrorIsOut) {
    reporter_->failed({Errc::Refused, "no"});
    ASSERT_TRUE(wait([this] { return posting_; }));
    reporter_->post_failure();
    {
        const std::lock_guard lock(mutex_);
        returned_ = true;
    }
    changed_.notify_all();
    ASSERT_TRUE(wait([this] { return errors_ == 1; }));
    EXPECT_FALSE(went_on_);
}

TEST_F(ReporterTest, OneErrorForAll) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([this] { reporter_->post_failure(); });
    reporter_->failed({Errc::Refused, "no"});
    reporter_->fail_now({Errc::Refused, "nor that"});
    for (std::thread& thread : threads) thread.join();
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(errors_, 1);
}

}  // namespace
}  // namespace hawser::elements
