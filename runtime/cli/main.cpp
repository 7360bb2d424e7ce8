// hawser: checks descriptions of pipelines and runs them.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>

#include "graph/model/report.h"
#include "runtime/base/text.h"
#include "runtime/cli/check.h"
#include "runtime/cli/run.h"

#ifndef HAWSER_VERSION
#define HAWSER_VERSION "unknown"
#endif

namespace {

using namespace hawser::cli;

constexpr const char* kAbout =
    "Runs GStreamer pipelines from description files, a process each, and keeps media moving\n"
    "between them, whatever breaks.";

constexpr const char* kExamples = R"(Examples:
  hawser check studio.yaml                         what is wrong with it, if anything
  hawser run studio.yaml                           until its end, or Ctrl-C
  hawser run --set clip=film.webm studio.yaml      with another value for the variable `clip`
  hawser run camera.launch                         a file with nothing but gst-launch text
  hawser run --drill first-run.yaml                with the faults that it orders under `drill:`
  hawser run --json studio.yaml | jq .event        for programs

Each command explains itself: hawser run --help.
)";

constexpr const char* kRunFooter =
    R"(On a terminal one line a pipeline shows its state, how long its process has run, its running time,
objects and bytes a second through its ports, restarts and links. At the end the books tell what
each epoch (one life of a sender) sent and what became of it.

Ctrl-C sends EOS through the pipelines and waits for what is under way; Ctrl-C again ends at once.

Exit code:
    0  all pipelines came to their end, or were stopped in order, and the books balance
       (faults of the drill that came too late are a warning)
    1  a pipeline was given up, did not end in order, or the books do not balance: the last
       lines say which
    2  the command line or the description is wrong; nothing was started
  130  ended at once by a second Ctrl-C

Examples:
  hawser run studio.yaml --duration 30s
  hawser run --set clip=film.webm --drill pipelines/first-run.yaml
  GST_DEBUG=hawser*:6 hawser run camera.launch recorder.launch
)";

constexpr const char* kCheckFooter =
    R"(Reports everything that is wrong at once: syntax, names, links, and what GStreamer knows: elements,
properties, values, caps. Nothing is run.

Exit code: 0 where nothing is wrong, 1 where something is, 2 for a wrong command line.

Examples:
  hawser check studio.yaml
  hawser check --json *.yaml
)";

// KEY=VALUE …
std::string parse_settings(const std::vector<std::string>& settings,
                           std::map<std::string, std::string>& into) {
    for (const std::string& setting : settings) {
        const std::size_t equals = setting.find('=');
        if (equals == std::string::npos || equals == 0)
            return "--set takes KEY=VALUE, not \"" + setting + "\"";
        into[setting.substr(0, equals)] = setting.substr(equals + 1);
    }
    return {};
}

// "30s", "1.5m", "500ms", "2h"; a bare number is seconds.
std::optional<hawser::Duration> parse_duration(const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    const std::string unit = end;
    const double scale = unit == "ms"                   ? 1e-3
                         : unit == "s" || unit.empty()  ? 1
                         : unit == "m" || unit == "min" ? 60
                         : unit == "h"                  ? 3600
                                                        : 0;
    const double seconds = value * scale;
    if (end == text.c_str() || !(seconds > 0) || seconds > 1e9) return std::nullopt;
    return std::chrono::duration_cast<hawser::Duration>(std::chrono::duration<double>(seconds));
}

int usage_error(const std::string& text) {
    std::fprintf(stderr, "hawser: %s\nSee hawser --help.\n", text.c_str());
    return kBadUsage;
}

// What is wrong with the command line, and what was probably meant; empty where CLI11 says it better.
std::string unknown_word(const CLI::App& app, int argc, char** argv, const std::vector<std::string>& extras) {
    std::vector<std::string> commands;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
        commands.push_back(command->get_name());
    const auto meant = [](const std::string& near) {
        return near.empty() ? near : "; did you mean " + near + "?";
    };
    // The first word is the command.
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word.starts_with('-')) continue;
        if (std::find(commands.begin(), commands.end(), word) != commands.end()) break;
        std::string text = "there is no command \"" + word + "\"";
        const std::string near = hawser::nearest(word, commands);
        if (!near.empty()) return text + meant(near);
        text += "; there are:";
        for (const std::string& command : commands) text += " " + command;
        return text;
    }
    for (const std::string& extra : extras) {
        if (!extra.starts_with('-') || extra == "-") continue;
        std::vector<std::string> options;
        const auto chosen = app.get_subcommands();
        for (const CLI::Option* option : (chosen.empty() ? &app : chosen.front())->get_options())
            for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
        return "there is no option \"" + extra + "\"" +
               meant(hawser::nearest(extra.substr(0, extra.find('=')), options));
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app(kAbout, "hawser");
    app.footer(kExamples);
    app.set_version_flag("-V,--version", "hawser " HAWSER_VERSION, "Print the version");
    app.require_subcommand(1);
    app.get_formatter()->column_width(34);

    std::vector<std::string> files, settings;
    std::string log_level = "info", duration;
    bool json = false, drill = false, no_colour = false;
    const auto common = [&](CLI::App* command) {
        command
            ->add_option("FILE", files,
                         "Descriptions (.yaml, .json, .textproto) or gst-launch texts (.launch); several "
                         "make one graph")
            ->required()
            ->type_name("");
        command->add_option("-s,--set", settings, "Set a variable of the description (may be repeated)")
            ->type_name("KEY=VALUE")
            ->take_all()
            ->expected(1);
        command->add_option("-l,--log-level", log_level, "trace, debug, info, warning, error or off [info]")
            ->type_name("LEVEL")
            ->check(CLI::IsMember({"trace", "debug", "info", "warning", "warn", "error", "err", "off"}))
            ->option_text("LEVEL");
        command->add_flag("--json", json, "Write JSON instead of text");
        command->add_flag("--no-color", no_colour,
                          "No colours, even on a terminal (also: NO_COLOR in the environment)");
    };
    CLI::App* run_command = app.add_subcommand("run", "Run what the files describe, until its end or Ctrl-C");
    common(run_command);
    run_command->add_flag("--drill", drill, "Carry out the faults that the description lists under `drill:`");
    run_command->add_option("-d,--duration", duration, "Stop in order after this time: 30s, 500ms, 2m, 1h")
        ->type_name("TIME")
        ->option_text("TIME");
    run_command->footer(kRunFooter);
    CLI::App* check_command = app.add_subcommand("check", "Report everything that is wrong with the files");
    common(check_command);
    check_command->footer(kCheckFooter);

    if (argc == 1) {
        std::fputs(app.help().c_str(), stdout);
        return kBadUsage;
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error), kFine;
        const std::string unknown = unknown_word(app, argc, argv, app.remaining(true));
        if (!unknown.empty()) return usage_error(unknown);
        return app.exit(error), kBadUsage;
    }

    const char* wish = std::getenv("NO_COLOR");
    RunOptions options;
    options.files = files;
    if (const std::string wrong = parse_settings(settings, options.set); !wrong.empty())
        return usage_error(wrong);
    if (!duration.empty()) {
        options.duration = parse_duration(duration);
        if (!options.duration)
            return usage_error("--duration takes a time such as 30s, 500ms, 2m or 1h, not \"" + duration +
                               "\"");
    }
    options.drill = drill;
    options.json = json;
    options.colour = !no_colour && !(wish && *wish);
    options.log_level = log_level;
    return *check_command
               ? check({options.files, options.set, options.log_level, options.json, options.colour})
               : run(options);
}
