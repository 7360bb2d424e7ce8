#include "runtime/cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <utility>

namespace hawser::cli {
namespace {

const char* code(Colour colour) {
    switch (colour) {
        case Colour::Bold:
            return "\x1b[1m";
        case Colour::Dim:
            return "\x1b[2m";
        case Colour::Red:
            return "\x1b[31m";
        case Colour::Green:
            return "\x1b[32m";
        case Colour::Yellow:
            return "\x1b[33m";
        case Colour::Blue:
            return "\x1b[34m";
        case Colour::Cyan:
            return "\x1b[36m";
        case Colour::None:
            break;
    }
    return "";
}

// The beginning of the text that fits into `columns`, escape sequences left whole.
std::string fitting(const std::string& text, std::size_t columns) {
    std::string out;
    std::size_t used = 0;
    bool coloured = false;
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] == '\x1b') {
            const std::size_t end = text.find('m', i);
            if (end == std::string::npos) break;
            out += text.substr(i, end + 1 - i);
            i = end + 1;
            coloured = true;
            continue;
        }
        if (used == columns) break;
        out += text[i++];
        while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) out += text[i++];
        ++used;
    }
    return coloured ? out + "\x1b[0m" : out;
}

}  // namespace

std::size_t width_of(const std::string& text) {
    std::size_t width = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\x1b') {
            const std::size_t end = text.find('m', i);
            if (end == std::string::npos) break;
            i = end;
        } else if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
            ++width;
        }
    }
    return width;
}

std::string left(const std::string& text, std::size_t width) {
    const std::size_t used = width_of(text);
    return used < width ? text + std::string(width - used, ' ') : text;
}

std::string right(const std::string& text, std::size_t width) {
    const std::size_t used = width_of(text);
    return used < width ? std::string(width - used, ' ') + text : text;
}

std::string Console::painted(const std::string& text, Colour colour) const {
    return colour_ && colour != Colour::None ? code(colour) + text + "\x1b[0m" : text;
}

void Console::line(const std::string& text) {
    write_out(erase() + text + "\n" + drawn());
}

void Console::status(std::vector<std::string> lines) {
    if (!live_) return;
    const std::string before = erase();
    status_ = std::move(lines);
    write_out(before + drawn());
}

void Console::clear_status() {
    if (status_.empty()) return;
    const std::string before = erase();
    status_.clear();
    write_out(before);
}

std::string Console::erase() const {
    return status_.empty() ? "" : "\x1b[" + std::to_string(status_.size()) + "A\r\x1b[J";
}

std::string Console::drawn() const {
    winsize size{};
    const std::size_t columns = ioctl(fd_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    std::string text;
    for (const std::string& each : status_) text += fitting(each, columns - 1) + "\n";
    return text;
}

void Console::write_out(const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t wrote = write(fd_, text.data() + done, text.size() - done);
        if (wrote <= 0) return;
        done += static_cast<std::size_t>(wrote);
    }
}

void ConsoleSink::sink_it_(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t formatted;
    formatter_->format(message, formatted);
    std::string text(formatted.data(), formatted.size());
    if (text.ends_with('\n')) text.pop_back();
    const Colour colour = message.level >= spdlog::level::err    ? Colour::Red
                          : message.level == spdlog::level::warn ? Colour::Yellow
                          : message.level == spdlog::level::info ? Colour::Green
                                                                 : Colour::Dim;
    const std::size_t begin = message.color_range_start, end = message.color_range_end;
    if (console_.colour() && begin < end && end <= text.size())
        text = text.substr(0, begin) + console_.painted(text.substr(begin, end - begin), colour) +
               text.substr(end);
    console_.line(text);
}

}  // namespace hawser::cli
