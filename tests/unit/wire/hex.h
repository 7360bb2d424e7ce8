// Bytes as hex text: "0a 0b ; a comment" a line.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

namespace hawser::wire {

inline std::string to_hex(const std::string& bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
        text += (i + 1) % 16 == 0 || i + 1 == bytes.size() ? '\n' : ' ';
    }
    return text;
}

inline std::string from_hex(std::istream& text) {
    std::string bytes;
    for (std::string line; std::getline(text, line);) {
        std::istringstream words(line.substr(0, line.find(';')));
        for (std::string word; words >> word;) bytes += static_cast<char>(std::stoi(word, nullptr, 16));
    }
    return bytes;
}

}  // namespace hawser::wire
