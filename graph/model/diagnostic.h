// What reading and checking have to say, and where: hawser::graph::Diagnostic is a Protobuf message, so that
// it can travel from the process that loads plugins to the one that prints.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "hawser/graph.pb.h"

namespace hawser::graph {

// Appends an error (or a warning) to `to`.
void add_error(Diagnostics& to, const Location& where, std::string message, std::string hint = {});
void add_warning(Diagnostics& to, const Location& where, std::string message, std::string hint = {});

// True where at least one of them is an error.
bool has_errors(const Diagnostics& diagnostics);

// By file, line and column, and drops exact repetitions. Those without a line come first in their file.
void sort_diagnostics(Diagnostics& diagnostics);

// `did you mean "x"?` for the candidate nearest to `word`, or "" where none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

// Where bytes [offset, offset + length) of a pipeline's launch text were written. A part that came from a
// variable is where the variable stands. Without marks (a model that was not read from a description): line
// and column within the launch text itself, and "launch of NAME" for the file.
Location locate(const Pipeline& pipeline, std::size_t offset, std::size_t length = 1);

// "file:line:column", "line 2, column 5" without a file, "" without a line.
std::string to_string(const Location& where);

}  // namespace hawser::graph
