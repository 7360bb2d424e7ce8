#include "graph/model/dump.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include "graph/model/defaults.h"

namespace hawser::graph {
namespace {

class Collector : public google::protobuf::io::ErrorCollector {
  public:
    Collector(const std::string& name, Diagnostics& to) : name_(name), to_(to) {}
    void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
        Location where;
        where.set_file(name_);
        where.set_line(static_cast<std::uint32_t>(line < 0 ? 0 : line + 1));
        where.set_column(static_cast<std::uint32_t>(column < 0 ? 1 : column + 1));
        add_error(to_, where, message);
    }

  private:
    const std::string& name_;
    Diagnostics& to_;
};

// Where the pipelines, links and faults of a model without positions are: in that file, no line known.
void point_to_file(Graph& graph, const std::string& name) {
    for (auto& pipeline : *graph.mutable_pipelines()) {
        if (!pipeline.has_location()) pipeline.mutable_location()->set_file(name);
        if (!pipeline.has_launch_location()) pipeline.mutable_launch_location()->set_file(name);
    }
    for (auto& link : *graph.mutable_links()) {
        if (!link.has_location()) link.mutable_location()->set_file(name);
        if (!link.has_from_location()) link.mutable_from_location()->set_file(name);
        if (!link.has_to_location()) link.mutable_to_location()->set_file(name);
    }
    for (auto& fault : *graph.mutable_drill()) {
        if (!fault.has_location()) fault.mutable_location()->set_file(name);
        if (!fault.has_pipeline_location()) fault.mutable_pipeline_location()->set_file(name);
    }
}

}  // namespace

Graph without_locations(Graph graph) {
    for (auto& pipeline : *graph.mutable_pipelines()) {
        pipeline.clear_location();
        pipeline.clear_launch_location();
        pipeline.clear_launch_marks();
    }
    for (auto& link : *graph.mutable_links()) {
        link.clear_location();
        link.clear_from_location();
        link.clear_to_location();
    }
    for (auto& fault : *graph.mutable_drill()) {
        fault.clear_location();
        fault.clear_pipeline_location();
    }
    return graph;
}

std::string to_textproto(const Graph& graph, bool locations) {
    std::string text;
    google::protobuf::TextFormat::PrintToString(locations ? graph : without_locations(graph), &text);
    return text;
}

std::string to_json(const Graph& graph, bool locations) {
    google::protobuf::util::JsonPrintOptions options;
    options.add_whitespace = true;
    options.preserve_proto_field_names = true;
    options.always_print_primitive_fields = true;
    std::string text;
    // Cannot fail for a message of this shape.
    (void)google::protobuf::util::MessageToJsonString(locations ? graph : without_locations(graph), &text,
                                                      options);
    return text;
}

Graph from_textproto(const std::string& text, const std::string& name, Diagnostics& diagnostics) {
    Graph graph;
    Collector collector(name, diagnostics);
    google::protobuf::TextFormat::Parser parser;
    parser.RecordErrorsTo(&collector);
    if (!parser.ParseFromString(text, &graph)) graph.Clear();
    point_to_file(graph, name);
    fill_defaults(graph);
    return graph;
}

Graph from_json(const std::string& text, const std::string& name, Diagnostics& diagnostics) {
    Graph graph;
    const auto status = google::protobuf::util::JsonStringToMessage(text, &graph);
    if (!status.ok()) {
        graph.Clear();
        Location where;
        where.set_file(name);
        const std::string message(status.message());
        add_error(diagnostics, where, "not a graph in JSON: " + message.substr(0, message.find('\n')));
    }
    point_to_file(graph, name);
    fill_defaults(graph);
    return graph;
}

}  // namespace hawser::graph
