// Length-prefixed fields, checked on the way back in.
#include "probe/serialise.hpp"

#include <cstring>

namespace loopscope {

namespace {

constexpr std::size_t kMaxFrame = std::size_t{1} << 22;

class Writer {
 public:
  template <class Number>
  void number(Number value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    out_.append(raw, sizeof value);
  }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    out_.append(value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}

  template <class Number>
  Number number() {
    Number value{};
    if (in_.size() < sizeof value) {
      good_ = false;
      return value;
    }
    std::memcpy(&value, in_.data(), sizeof value);
    in_.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const auto size = number<std::uint32_t>();
    if (!good_ || size > in_.size()) {
      good_ = false;
      return {};
    }
    std::string value(in_.substr(0, size));
    in_.remove_prefix(size);
    return value;
  }
  /// How many items follow, each of which needs `least` octets.
  std::size_t items(std::size_t least) {
    const auto size = number<std::uint32_t>();
    if (size > in_.size() / least) good_ = false;
    return good_ ? size : 0;
  }
  bool good() const { return good_; }
  bool done() const { return good_ && in_.empty(); }

 private:
  std::string_view in_;
  bool good_ = true;
};

void write_value(Writer& out, const FactValue& value) {
  out.number(static_cast<std::uint8_t>(value.index()));
  if (const auto* flag = std::get_if<bool>(&value)) out.number(static_cast<std::uint8_t>(*flag));
  if (const auto* integer = std::get_if<std::int64_t>(&value)) out.number(*integer);
  if (const auto* real = std::get_if<double>(&value)) out.number(*real);
  if (const auto* text = std::get_if<std::string>(&value)) out.text(*text);
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    out.number(static_cast<std::uint32_t>(list->size()));
    for (const std::string& item : *list) out.text(item);
  }
}

bool read_value(Reader& in, FactValue& value) {
  switch (in.number<std::uint8_t>()) {
    case 0:
      value.emplace<std::monostate>();
      return true;
    case 1:
      value.emplace<bool>(in.number<std::uint8_t>() != 0);
      return true;
    case 2:
      value.emplace<std::int64_t>(in.number<std::int64_t>());
      return true;
    case 3:
      value.emplace<double>(in.number<double>());
      return true;
    case 4:
      value.emplace<std::string>(in.text());
      return true;
    case 5: {
      auto& list = value.emplace<std::vector<std::string>>();
      for (std::size_t n = in.items(4); n > 0; --n) list.push_back(in.text());
      return true;
    }
    default:
      return false;
  }
}

/// An enumerator that exists, or a broken frame.
template <class Enum>
bool read_enum(Reader& in, Enum last, Enum& value) {
  const auto raw = in.number<std::uint8_t>();
  value = static_cast<Enum>(raw);
  return raw <= static_cast<std::uint8_t>(last);
}

void read_samples(Reader& in, std::vector<double>& samples) {
  for (std::size_t n = in.items(8); n > 0; --n) samples.push_back(in.number<double>());
}

void write_samples(Writer& out, const std::vector<double>& samples) {
  out.number(static_cast<std::uint32_t>(samples.size()));
  for (const double sample : samples) out.number(sample);
}

void write_curve(Writer& out, const FactResult& r) {
  out.text(r.curve_over);
  out.number(static_cast<std::uint32_t>(r.curve.size()));
  for (const CurvePoint& point : r.curve) {
    out.number(point.x);
    out.number(static_cast<std::uint8_t>(point.value.has_value()));
    if (point.value) out.number(*point.value);
    out.number(static_cast<std::uint8_t>(point.reason));
    out.text(point.note);
    write_samples(out, point.samples);
  }
}

std::optional<TimedResult> read_answer(Reader& in) {
  TimedResult answer;
  FactResult& r = answer.result;
  answer.took_ns = in.number<std::int64_t>();
  if (!read_value(in, r.value)) return std::nullopt;
  if (!read_enum(in, Unit::seconds, r.unit)) return std::nullopt;
  if (!read_enum(in, Reason::not_asked, r.reason)) return std::nullopt;
  if (!read_enum(in, Method::declared, r.method)) return std::nullopt;
  r.note = in.text();
  for (std::size_t n = in.items(12); n > 0; --n) {
    Evidence item;
    item.call = in.text();
    item.result = in.text();
    item.errno_value = in.number<std::int32_t>();
    r.evidence.push_back(std::move(item));
  }
  for (std::size_t n = in.items(8); n > 0; --n) {
    FactRow row{in.text(), {}};
    for (std::size_t cells = in.items(8); cells > 0; --cells) {
      std::string column = in.text();
      row.cells.emplace_back(std::move(column), in.text());
    }
    r.table.push_back(std::move(row));
  }
  read_samples(in, r.samples);
  r.curve_over = in.text();
  for (std::size_t n = in.items(18); n > 0; --n) {
    CurvePoint point;
    point.x = in.number<double>();
    if (in.number<std::uint8_t>() != 0) point.value = in.number<double>();
    if (!read_enum(in, Reason::not_asked, point.reason)) return std::nullopt;
    point.note = in.text();
    read_samples(in, point.samples);
    r.curve.push_back(std::move(point));
  }
  for (std::size_t n = in.items(16); n > 0; --n) {
    Conflict& conflict = r.conflicts.emplace_back();
    for (std::string* part :
         {&conflict.one, &conflict.one_says, &conflict.other, &conflict.other_says}) {
      *part = in.text();
    }
  }
  if (!read_enum(in, Effect::traces, r.effect)) return std::nullopt;
  if (!in.done()) return std::nullopt;
  return answer;
}

}  // namespace

std::string encode_frame(const TimedResult& answer) {
  const FactResult& r = answer.result;
  Writer out;
  out.number(answer.took_ns);
  write_value(out, r.value);
  out.number(static_cast<std::uint8_t>(r.unit));
  out.number(static_cast<std::uint8_t>(r.reason));
  out.number(static_cast<std::uint8_t>(r.method));
  out.text(r.note);
  out.number(static_cast<std::uint32_t>(r.evidence.size()));
  for (const Evidence& item : r.evidence) {
    out.text(item.call);
    out.text(item.result);
    out.number(static_cast<std::int32_t>(item.errno_value));
  }
  out.number(static_cast<std::uint32_t>(r.table.size()));
  for (const FactRow& row : r.table) {
    out.text(row.name);
    out.number(static_cast<std::uint32_t>(row.cells.size()));
    for (const auto& [column, cell] : row.cells) {
      out.text(column);
      out.text(cell);
    }
  }
  write_samples(out, r.samples);
  write_curve(out, r);
  out.number(static_cast<std::uint32_t>(r.conflicts.size()));
  for (const Conflict& conflict : r.conflicts) {
    for (const std::string* part :
         {&conflict.one, &conflict.one_says, &conflict.other, &conflict.other_says}) {
      out.text(*part);
    }
  }
  out.number(static_cast<std::uint8_t>(r.effect));
  const std::string body = out.take();
  Writer frame;
  frame.text(body);
  return frame.take();
}

std::optional<TimedResult> take_frame(std::string& buffer, bool& broken) {
  broken = false;
  if (buffer.size() < sizeof(std::uint32_t)) return std::nullopt;
  std::uint32_t size = 0;
  std::memcpy(&size, buffer.data(), sizeof size);
  if (size > kMaxFrame) {
    broken = true;
    return std::nullopt;
  }
  if (buffer.size() - sizeof size < size) return std::nullopt;
  Reader in(std::string_view(buffer).substr(sizeof size, size));
  std::optional<TimedResult> answer = read_answer(in);
  broken = !answer;
  buffer.erase(0, sizeof size + size);
  return answer;
}

}  // namespace loopscope
