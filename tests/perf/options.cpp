#include "tests/perf/options.h"

#include <cstdio>
#include <cstdlib>

namespace hawser::perf {
namespace {

[[noreturn]] void usage(const std::string& name, int code) {
    std::fprintf(code == 0 ? stdout : stderr,
                 "Usage: perf_%s [--quick | --smoke] [--rounds N] [--tables TEXT] [--rows TEXT] [--out DIR] "
                 "[--check]\n"
                 "\n"
                 "  --quick        three short rounds instead of five long ones\n"
                 "  --smoke        one very short round with few clients: only to see that everything works\n"
                 "  --rounds N     so many rounds; each runs every row once, in turn\n"
                 "  --tables TEXT  only tables whose title contains TEXT\n"
                 "  --rows TEXT    only rows whose name contains TEXT\n"
                 "  --out DIR      where NAME.json, NAME.md and the plots go (default: %s)\n"
                 "  --check        exit code 1 where a goal is missed\n",
                 name.c_str(), HAWSER_BENCH_DIR);
    std::exit(code);
}

}  // namespace

Options parse_options(const std::string& name, int argc, char** argv) {
    Options options;
    options.out = HAWSER_BENCH_DIR;
    unsigned rounds = 0;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const auto value = [&]() -> std::string {
            if (i + 1 >= argc) usage(name, 2);
            return argv[++i];
        };
        if (argument == "--help" || argument == "-h")
            usage(name, 0);
        else if (argument == "--quick")
            options.quick = true;
        else if (argument == "--smoke")
            options.smoke = true;
        else if (argument == "--check")
            options.check = true;
        else if (argument == "--rounds")
            rounds = static_cast<unsigned>(std::strtoul(value().c_str(), nullptr, 10));
        else if (argument == "--rows")
            options.rows = value();
        else if (argument == "--tables")
            options.tables = value();
        else if (argument == "--out")
            options.out = value();
        else
            usage(name, 2);
    }
    if (options.quick) {
        options.rounds = 3;
        options.time_scale = 0.34;
    }
    if (options.smoke) {
        options.rounds = 1;
        options.time_scale = 0.05;
        options.size_scale = 0.02;
    }
    if (rounds > 0) options.rounds = rounds;
    return options;
}

}  // namespace hawser::perf
