// One contract, three engines: what every reactor must do. The tests are in contract_*_test.cpp.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "tests/unit/io/engines.h"

namespace hawser::io::test {

class Contract : public testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        const std::string name = GetParam();
        if (name == "Loopback") {
            engine_ = std::make_unique<LoopbackEngine>();
        } else {
            if (name == "IoUring" && !uring_refused().empty()) GTEST_SKIP() << uring_refused();
            engine_ =
                std::make_unique<SocketEngine>(name == "IoUring" ? io::Engine::IoUring : io::Engine::Epoll);
        }
        scene_ = std::make_unique<Scene>(*engine_);
    }
    Reactor& reactor() { return engine_->reactor(); }
    void run(const std::function<void()>& task) { engine_->run(task); }
    bool wait(const std::function<bool()>& done) { return engine_->wait(done); }
    // The reactor goes on for `time`: only to see that something does not happen.
    void let_pass(Duration time) {
        bool over = false;
        run([&] { reactor().after(time, [&] { over = true, engine_->changed(); }); });
        ASSERT_TRUE(wait([&] { return over; }));
    }

    std::unique_ptr<Engine> engine_;
    std::unique_ptr<Scene> scene_;
};

}  // namespace hawser::io::test
