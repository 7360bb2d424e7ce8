// Figures of one comparison: rows (who), columns (what), several samples each (one a round), and the goals.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hawser::perf {

// What one run of one row came to: a value for each column's key. A run that failed, or did not deliver all,
// says so in `failure` and its values do not count.
struct Sample {
    Sample() = default;
    Sample(std::initializer_list<std::pair<const std::string, double>> list) : values(list) {}
    static Sample failed(std::string why) {
        Sample sample;
        sample.failure = std::move(why);
        return sample;
    }
    std::map<std::string, double> values;
    std::string failure;
    std::string remark;  // shown with the progress only
};

struct Summary {
    double median = 0, low = 0, high = 0;
    std::vector<double> samples;
};
// nullopt where there is none.
std::optional<Summary> summarize(std::vector<double> samples);

// "1 234 567", "12.3", "0.045": three digits that count, thousands apart.
std::string number(double value);

class Table {
  public:
    struct Column {
        std::string key, heading;  // the heading names the unit: "CPU-s/GB"
    };

    // `notes` is shown below the table.
    Table(std::string title, std::vector<Column> columns, std::string notes = "");

    // A column computed for each round: `key` of the row divided by `key` of the row `base`.
    void ratio(const std::string& key, const std::string& heading, const std::string& of,
               const std::string& base);

    // What `column` of `row` should be. Shown beside the row as met or missed.
    void at_least(const std::string& row, const std::string& column, double value);
    void at_most(const std::string& row, const std::string& column, double value);

    // In the order of rounds; rows appear in the order in which they are first added.
    void add(const std::string& row, const Sample& sample);

    std::optional<Summary> summary(const std::string& row, const std::string& column) const;
    bool complete() const { return failures_.empty(); }  // no sample failed
    bool goals_met() const;
    bool empty() const { return rows_.empty(); }
    const std::string& title() const { return title_; }

    // As Markdown, its columns aligned: medians, with (lowest…highest) where there are several rounds.
    std::string markdown() const;
    std::string json() const;

  private:
    struct Ratio {
        std::string key, of, base;
    };
    struct Goal {
        std::string row, column;
        bool at_least;
        double value;
    };
    const std::vector<Sample>* samples_of(const std::string& row) const;
    std::optional<bool> met(const Goal& goal) const;
    std::string goal_text(const Goal& goal) const;
    std::string heading_of(const std::string& key) const;

    const std::string title_;
    std::vector<Column> columns_;
    const std::string notes_;
    std::vector<Ratio> ratios_;
    std::vector<Goal> goals_;
    std::vector<std::pair<std::string, std::vector<Sample>>> rows_;
    std::vector<std::string> failures_;
};

// A JSON string, quoted.
std::string json_text(const std::string& text);
std::string json_number(double value);

}  // namespace hawser::perf
