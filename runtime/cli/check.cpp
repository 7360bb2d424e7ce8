#include "runtime/cli/check.h"

#include <unistd.h>

#include <cstdio>

#include "graph/model/report.h"
#include "runtime/cli/json.h"
#include "runtime/cli/load.h"
#include "runtime/cli/run.h"

namespace hawser::cli {
namespace {

std::string counted(int count, const char* thing) {
    return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

std::string as_json(const graph::ReadResult& read) {
    std::string list = "[";
    for (const auto& d : read.diagnostics.diagnostics()) {
        if (list.size() > 1) list += ",";
        list += JsonObject()
                    .add("severity", d.severity() == graph::Diagnostic::ERROR ? "error" : "warning")
                    .add("file", d.location().file())
                    .add("line", d.location().line())
                    .add("column", d.location().column())
                    .add("message", d.message())
                    .add("hint", d.hint())
                    .text();
    }
    return JsonObject()
        .add("ok", read.ok())
        .add("pipelines", read.graph.pipelines_size())
        .add("links", read.graph.links_size())
        .raw("diagnostics", list + "]")
        .text();
}

}  // namespace

int check(const CheckOptions& options) {
    const graph::ReadResult read =
        load({options.files, options.set, options.log_level == "debug" || options.log_level == "trace"});
    std::string text;
    if (options.json) {
        text = as_json(read) + "\n";
    } else {
        text = graph::report(read.diagnostics, read.sources,
                             {.colour = options.colour && isatty(STDOUT_FILENO)});
        if (read.ok()) {
            std::string names;
            for (const std::string& file : options.files) names += (names.empty() ? "" : " + ") + file;
            text +=
                names + ": " + counted(read.graph.pipelines_size(), "pipeline") + ", " +
                counted(read.graph.links_size(), "link") + ": " +
                (read.diagnostics.diagnostics_size() == 0 ? "fine"
                                                          : "can run; " + graph::summary(read.diagnostics)) +
                "\n";
        } else {
            text += graph::summary(read.diagnostics) + "\n";
        }
    }
    std::fwrite(text.data(), 1, text.size(), stdout);
    return read.ok() ? kFine : kFailed;
}

}  // namespace hawser::cli
