// The terminal: lines that scroll, and below them a few that are redrawn in place. Also spdlog's sink for the
// program. One thread.
#pragma once

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>

#include <memory>
#include <string>
#include <vector>

namespace hawser::cli {

enum class Colour { None, Bold, Dim, Red, Green, Yellow, Blue, Cyan };

// How many columns the text takes; colours are none, each UTF-8 character is one.
std::size_t width_of(const std::string& text);
// Filled with blanks up to `width` columns.
std::string left(const std::string& text, std::size_t width);
std::string right(const std::string& text, std::size_t width);

class Console {
  public:
    // Writes to `fd`. `colour`, `live`: whether it may use colours, and whether it may move the cursor.
    Console(int fd, bool colour, bool live) : fd_(fd), colour_(colour), live_(live) {}
    ~Console() { clear_status(); }

    bool colour() const { return colour_; }
    bool live() const { return live_; }
    std::string painted(const std::string& text, Colour colour) const;

    // One line, above the status lines.
    void line(const std::string& text);
    // Replaces the status lines. Does nothing where the console is not live.
    void status(std::vector<std::string> lines);
    void clear_status();

  private:
    void write_out(const std::string& text);
    std::string erase() const;
    std::string drawn() const;

    const int fd_;
    const bool colour_, live_;
    std::vector<std::string> status_;
};

// Log lines go through the console, so that they do not tear the status lines.
class ConsoleSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
  public:
    explicit ConsoleSink(Console& console) : console_(console) {}

  protected:
    void sink_it_(const spdlog::details::log_msg& message) override;
    void flush_() override {}

  private:
    Console& console_;
};

}  // namespace hawser::cli
