#include "elements/log_bridge.h"

#include <gst/gst.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/dist_sink.h>

#include <memory>
#include <mutex>
#include <string>

#include "runtime/base/log.h"

namespace hawser::elements {
namespace {

GstDebugLevel to_gst(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::trace:
            return GST_LEVEL_LOG;
        case spdlog::level::debug:
            return GST_LEVEL_DEBUG;
        case spdlog::level::info:
            return GST_LEVEL_INFO;
        case spdlog::level::warn:
            return GST_LEVEL_WARNING;
        case spdlog::level::err:
        case spdlog::level::critical:
            return GST_LEVEL_ERROR;
        default:
            return GST_LEVEL_NONE;
    }
}

class GstLogSink final : public spdlog::sinks::base_sink<std::mutex> {
  public:
    explicit GstLogSink(GstDebugCategory* category) : category_(category) {}

  protected:
    void sink_it_(const spdlog::details::log_msg& line) override {
        const GstDebugLevel level = to_gst(line.level);
        if (level == GST_LEVEL_NONE || level > gst_debug_category_get_threshold(category_)) return;
        const std::string text(line.payload.data(), line.payload.size());
        gst_debug_log(category_, level, line.source.filename ? line.source.filename : "",
                      line.source.funcname ? line.source.funcname : "", line.source.line, nullptr, "%s",
                      text.c_str());
    }
    void flush_() override {}

  private:
    GstDebugCategory* const category_;
};

}  // namespace

void bridge_log() {
    static std::once_flag once;
    std::call_once(once, [] {
        GstDebugCategory* category = nullptr;
        GST_DEBUG_CATEGORY_INIT(category, "hawser", 0, "Hawser: sessions, sockets, rings");
        auto sink = std::make_shared<GstLogSink>(category);
        for (auto& outer : log().sinks()) {
            if (auto* fan = dynamic_cast<spdlog::sinks::dist_sink_mt*>(outer.get())) {
                fan->add_sink(std::move(sink));
                return;
            }
        }
    });
}

}  // namespace hawser::elements
