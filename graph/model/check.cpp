#include "graph/model/check.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "graph/model/launch_text.h"
#include "graph/model/values.h"
#include "graph/model/variables.h"
#include "runtime/base/text.h"

namespace hawser::graph {
namespace {

std::string quoted(const std::string& text) {
    return "\"" + text + "\"";
}

std::string place(const Location& where) {
    return where.line() == 0 ? "" : " (at " + to_string(where) + ")";
}

// A name as it was written, unless that would upset a terminal.
std::string shown(const std::string& name) {
    const bool plain = name.size() <= 100 && is_utf8(name) &&
                       std::none_of(name.begin(), name.end(),
                                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    return plain ? name : printable(name, 100);
}

const Location& either(const Location& first, const Location& second) {
    return first.file().empty() ? second : first;
}

class Checker {
  public:
    Checker(const Graph& graph, Diagnostics& diagnostics) : graph_(graph), diagnostics_(diagnostics) {}

    void run() {
        if (graph_.pipelines_size() == 0)
            error({}, "the description has no pipelines", "add \"pipelines:\" with at least one");
        for (const auto& pipeline : graph_.pipelines()) check_name(pipeline);
        for (const auto& link : graph_.links()) check_link(link);
        check_senders();
        check_loops();
        for (const auto& pipeline : graph_.pipelines()) check_launch_text(pipeline);
        for (const auto& [name, link] : incoming_) check_tracks(*link);
        for (const auto& fault : graph_.drill()) check_fault(fault);
    }

  private:
    void error(const Location& where, std::string message, std::string hint = {}) {
        add_error(diagnostics_, where, std::move(message), std::move(hint));
    }

    void check_name(const Pipeline& pipeline) {
        const auto [found, fresh] = pipelines_.emplace(pipeline.name(), &pipeline);
        if (!fresh) {
            error(pipeline.location(), "two pipelines are named " + quoted(pipeline.name()),
                  "the other one stands at " + to_string(found->second->location()));
        } else if (!is_pipeline_name(pipeline.name())) {
            error(pipeline.location(), quoted(shown(pipeline.name())) + " cannot be a pipeline's name",
                  "use letters, digits and \"_.-\", and begin with a letter or digit");
        } else {
            names_.push_back(pipeline.name());
        }
    }

    bool known(const std::string& name, const Location& where, const char* what) {
        if (pipelines_.count(name) != 0) return true;
        std::string hint = did_you_mean(name, names_);
        if (hint.empty() && !names_.empty()) {
            hint = "known pipelines:";
            for (const auto& candidate : names_) hint += " " + candidate;
        }
        error(where, std::string(what) + " unknown pipeline " + quoted(name), hint);
        return false;
    }

    void check_link(const Link& link) {
        const Location& from = either(link.from_location(), link.location());
        const Location& to = either(link.to_location(), link.location());
        // Where an end is missing in a description, the reader has said so.
        const bool read = link.location().line() != 0;
        const bool from_known =
            !(read && link.from().empty()) && known(link.from(), from, "this link comes from the");
        const bool to_known = !(read && link.to().empty()) && known(link.to(), to, "this link goes to the");
        if (!link.address().empty() && !is_address(link.address()))
            error(link.location(), quoted(link.address()) + " is no address", "expected host:port");
        // Of a misspelt name what it probably means, so that its launch text is not blamed as well.
        senders_.insert(from_known ? link.from() : nearest(link.from(), names_));
        receivers_.insert(to_known ? link.to() : nearest(link.to(), names_));
        if (from_known && link.from() == link.to())
            return error(to, "this link goes from " + quoted(link.from()) + " to itself");
        // An end that is right is held to its launch text, even where the other one is wrong.
        if (from_known) outgoing_[link.from()].push_back(&link);
        if (!to_known) return;
        const auto [found, fresh] = incoming_.emplace(link.to(), &link);
        if (!from_known) return;
        if (!fresh && pipelines_.count(found->second->from()) == 0) {
            found->second = &link;  // the other one comes from nowhere, which was reported
            return;
        }
        if (!fresh && found->second->from() == link.from())
            return error(link.location(), "this link stands twice",
                         "the other one stands at " + to_string(found->second->location()));
        if (!fresh)
            return error(to,
                         quoted(link.to()) + " has two senders, " + quoted(found->second->from()) + " and " +
                             quoted(link.from()),
                         "a pipeline receives one stream, with as many tracks as its sender has; give each "
                         "sender a receiver of its own");
    }

    // One `out` serves all the links of a sender, so what they ask of it must agree.
    void check_senders() {
        for (const auto& [name, links] : outgoing_) {
            const Link& first = *links.front();
            const std::string& sender = name;  // a lambda cannot capture a structured binding
            for (const Link* link : links) {
                const auto differs = [&](const char* what) {
                    error(link->location(),
                          std::string("the links of ") + quoted(sender) + " differ in " + what,
                          std::string("all receivers of one sender share its stream: give them the same ") +
                              what);
                };
                if (link->mode() != first.mode()) differs("mode");
                if (link->resume_ms() != first.resume_ms()) differs("resume");
                if (link->address() != first.address()) differs("address");
            }
        }
        std::map<std::string, std::string> addresses;
        for (const auto& [name, links] : outgoing_) {
            const std::string& address = links.front()->address();
            if (address.empty() || (address.size() > 2 && address.substr(address.size() - 2) == ":0"))
                continue;
            const auto [found, fresh] = addresses.emplace(address, name);
            if (!fresh)
                error(links.front()->location(),
                      quoted(found->second) + " and " + quoted(name) + " both send at " + address,
                      "each pipeline is a process of its own and needs a port of its own");
        }
    }

    void check_loops() {
        std::set<std::string> reported;
        for (const auto& [name, link] : incoming_) {
            // A receiver has one sender, so walking up from anywhere ends, or comes round.
            std::vector<std::string> way{name};
            for (auto up = incoming_.find(name); up != incoming_.end(); up = incoming_.find(way.back())) {
                const std::string& sender = up->second->from();
                if (std::find(way.begin(), way.end(), sender) != way.end()) {
                    if (sender == name) report_loop(way, *link, reported);
                    break;
                }
                way.push_back(sender);
            }
        }
    }

    void report_loop(std::vector<std::string> way, const Link& link, std::set<std::string>& reported) {
        for (const auto& name : way)
            if (reported.count(name) != 0) return;
        reported.insert(way.begin(), way.end());
        std::reverse(way.begin(), way.end());  // was walked against the flow
        std::string loop;
        for (const auto& name : way) loop += name + " → ";
        error(link.location(), "these links form a loop: " + loop + way.front(),
              "media flows one way: take one of them out");
    }

    void check_launch_text(const Pipeline& pipeline) {
        const LaunchText text = parse_launch_text(pipeline.launch());
        const Location& start = either(pipeline.launch_location(), pipeline.location());
        if (text.nodes.empty()) {
            // Where launch is missing altogether, the reader has said so.
            if (pipeline.has_launch_location() || pipeline.location().line() == 0)
                error(start, "pipeline " + quoted(pipeline.name()) + " has an empty launch text");
            return;
        }
        for (const auto& problem : text.problems)
            if (!is_unset(std::string_view(pipeline.launch()).substr(problem.at.offset, problem.at.length)))
                error(locate(pipeline, problem.at.offset, problem.at.length), problem.message, problem.hint);
        // What is missing may stand in a variable that nobody has set.
        if (std::any_of(text.elements.begin(), text.elements.end(),
                        [](const LaunchElement& e) { return is_unset(e.factory); }))
            return;
        if (pipelines_.at(pipeline.name()) != &pipeline)
            return;  // a second one of this name: the links mean the first
        const auto out = outgoing_.find(pipeline.name());
        const auto in = incoming_.find(pipeline.name());
        if (out != outgoing_.end() && !text.mentions("out"))
            error(start,
                  quoted(pipeline.name()) + " sends to " + quoted(out->second.front()->to()) +
                      place(out->second.front()->location()) + ", but its launch text has no \"out.\"",
                  end_hint(text, "hawsersink", "out", "end a branch with \"! out.video\""));
        if (in != incoming_.end() && !text.mentions("in"))
            error(start,
                  quoted(pipeline.name()) + " receives from " + quoted(in->second->from()) +
                      place(in->second->location()) + ", but its launch text has no \"in.\"",
                  end_hint(text, "hawsersrc", "in", "begin a branch with \"in.video !\""));
        for (const auto& reference : text.references) {
            const Location where = locate(pipeline, reference.at.offset, reference.at.length);
            if (reference.element == "out" && senders_.count(pipeline.name()) == 0 &&
                text.element_named("out") == nullptr)
                error(where, "\"out.\" leads nowhere: no link starts from " + quoted(pipeline.name()),
                      "add to links: { from: " + pipeline.name() + ", to: … }");
            if (reference.element == "in" && receivers_.count(pipeline.name()) == 0 &&
                text.element_named("in") == nullptr)
                error(where, "\"in.\" has no sender: no link goes to " + quoted(pipeline.name()),
                      "add to links: { from: …, to: " + pipeline.name() + " }");
        }
    }

    // A receiver that names a track which its sender does not send. Nothing is said where the sender leaves
    // names to the runtime, or to a variable.
    void check_tracks(const Link& link) {
        const auto from = pipelines_.find(link.from());
        if (from == pipelines_.end()) return;
        std::vector<std::string> sent;
        for (const auto& reference : parse_launch_text(from->second->launch()).references) {
            if (reference.element != "out") continue;
            if (reference.pad.empty() || reference.pad.find(',') != std::string::npos ||
                is_unset(reference.pad))
                return;
            sent.push_back(reference.pad.starts_with("sink_") ? "src_" + reference.pad.substr(5)
                                                              : reference.pad);
        }
        if (sent.empty()) return;
        const Pipeline& receiver = *pipelines_.at(link.to());
        for (const auto& reference : parse_launch_text(receiver.launch()).references) {
            if (reference.element != "in" || reference.pad.empty() || is_unset(reference.pad) ||
                reference.pad.find(',') != std::string::npos ||
                std::find(sent.begin(), sent.end(), reference.pad) != sent.end())
                continue;
            std::string hint = did_you_mean(reference.pad, sent);
            if (hint.empty()) {
                hint = "its tracks:";
                for (const auto& track : sent) hint += " " + track;
            }
            add_warning(diagnostics_, locate(receiver, reference.at.offset, reference.at.length),
                        quoted(link.from()) + " sends no track " + quoted(reference.pad), hint);
        }
    }

    static std::string end_hint(const LaunchText& text, const char* factory, const char* name,
                                const char* otherwise) {
        for (const auto& element : text.elements)
            if (element.factory == factory)
                return std::string("give this ") + factory + " name=" + name + ", or refer to \"" + name +
                       ".\" instead";
        return otherwise;
    }

    void check_fault(const Fault& fault) {
        const Location& where = either(fault.pipeline_location(), fault.location());
        if (fault.at_ms() == 0) error(fault.location(), "a drill's entry has no time", "at: 5s");
        if (!known(fault.pipeline(), where, "this drill names the")) return;
        if (fault.kind() == Fault::CUT && incoming_.count(fault.pipeline()) == 0) {
            std::string hint = "cut names the receiving end of a link";
            const auto out = outgoing_.find(fault.pipeline());
            if (out != outgoing_.end() && pipelines_.count(out->second.front()->to()) != 0)
                hint += ": did you mean \"" + out->second.front()->to() + "\"?";
            error(where, "there is no connection to cut: no link goes to " + quoted(fault.pipeline()), hint);
        }
    }

    const Graph& graph_;
    Diagnostics& diagnostics_;
    std::vector<std::string> names_;
    std::map<std::string, const Pipeline*> pipelines_;
    std::set<std::string> senders_,
        receivers_;  // of any link, right or wrong, so that one mistake is not told twice
    std::map<std::string, const Link*> incoming_;  // of the links that are right
    std::map<std::string, std::vector<const Link*>> outgoing_;
};

}  // namespace

void check(const Graph& graph, Diagnostics& diagnostics) {
    Checker(graph, diagnostics).run();
}

}  // namespace hawser::graph
