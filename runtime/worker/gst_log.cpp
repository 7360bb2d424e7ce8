#include "runtime/worker/gst_log.h"

#include <gst/gst.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace hawser::worker {
namespace {

std::shared_ptr<spdlog::logger> gst_logger;

spdlog::level::level_enum level_of(GstDebugLevel level) {
    switch (level) {
        case GST_LEVEL_ERROR:
            return spdlog::level::err;
        case GST_LEVEL_WARNING:
        case GST_LEVEL_FIXME:
            return spdlog::level::warn;
        case GST_LEVEL_INFO:
            return spdlog::level::info;
        case GST_LEVEL_DEBUG:
            return spdlog::level::debug;
        default:
            return spdlog::level::trace;
    }
}

// "<name> " or "<parent:pad> ". Takes no lock: who logs may hold the object's.
std::string object_name(GObject* object) {
    if (!object || !GST_IS_OBJECT(object) || !GST_OBJECT_NAME(object)) return {};
    std::string name = GST_OBJECT_NAME(object);
    if (GST_IS_PAD(object) && GST_OBJECT_PARENT(object) && GST_OBJECT_NAME(GST_OBJECT_PARENT(object)))
        name = std::string(GST_OBJECT_NAME(GST_OBJECT_PARENT(object))) + ":" + name;
    return "<" + name + "> ";
}

// Only called for lines that their category's threshold lets through.
void log_line(GstDebugCategory* category, GstDebugLevel level, const gchar* file, const gchar* function,
              gint line, GObject* object, GstDebugMessage* message, gpointer) {
    const auto severity = level_of(level);
    if (!gst_logger->should_log(severity)) return;
    const gchar* base = g_strrstr(file, "/");
    const std::string who = object_name(object);
    gst_logger->log(severity, "{} {}:{}:{}: {}{}", gst_debug_category_get_name(category),
                    base ? base + 1 : file, line, function, who, gst_debug_message_get(message));
}

// g_warning() and friends, of any library.
GLogWriterOutput glib_line(GLogLevelFlags flags, const GLogField* fields, gsize count, gpointer) {
    const char* text = nullptr;
    const char* domain = nullptr;
    for (gsize i = 0; i < count; ++i) {
        if (g_strcmp0(fields[i].key, "MESSAGE") == 0) text = static_cast<const char*>(fields[i].value);
        if (g_strcmp0(fields[i].key, "GLIB_DOMAIN") == 0) domain = static_cast<const char*>(fields[i].value);
    }
    const auto level = flags & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL) ? spdlog::level::err
                       : flags & G_LOG_LEVEL_WARNING                      ? spdlog::level::warn
                       : flags & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO) ? spdlog::level::info
                                                                          : spdlog::level::debug;
    const char* kind = flags & G_LOG_LEVEL_CRITICAL ? "CRITICAL " : "";
    spdlog::log(level, "{}{}{}{}", kind, domain ? domain : "", domain ? ": " : "", text ? text : "");
    return G_LOG_WRITER_HANDLED;
}

}  // namespace

void start_log(const std::string& level) {
    std::shared_ptr<spdlog::logger> logger;
    if (isatty(STDERR_FILENO)) {
        logger = spdlog::stderr_color_mt("worker");
        logger->set_pattern("%H:%M:%S.%e %^%l%$ %v");
    } else {
        logger = spdlog::stderr_logger_mt("worker");
        logger->set_pattern("[%l] %v");
    }
    logger->set_level(spdlog::level::from_str(level));
    spdlog::set_default_logger(logger);
    g_log_set_writer_func(glib_line, nullptr, nullptr);
}

void adopt_gst_log(const std::string& level) {
    gst_logger = spdlog::default_logger()->clone("gst");
    if (const char* wanted = std::getenv("GST_DEBUG"); wanted && *wanted) {
        gst_logger->set_level(spdlog::level::trace);
    } else if (level == "debug") {
        gst_debug_set_default_threshold(GST_LEVEL_WARNING);
    } else if (level == "trace") {
        gst_debug_set_default_threshold(GST_LEVEL_INFO);
    }
    gst_debug_remove_log_function(gst_debug_log_default);
    gst_debug_add_log_function(log_line, nullptr, nullptr);
}

}  // namespace hawser::worker
