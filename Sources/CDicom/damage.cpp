#include "internal.h"

#include <dcmtk/oflog/oflog.h>

#include <dcmtk/oflog/appender.h>
#include <dcmtk/oflog/spi/logevent.h>

namespace cleft {
namespace {

thread_local std::string complaint;

/// Keeps the first warning of a thread. The JPEG decoders report damage in no other way: they go on with gray.
class Listener : public dcmtk::log4cplus::Appender {
public:
  ~Listener() override { destructorImpl(); }
  void close() override { closed = true; }

protected:
  void append(const dcmtk::log4cplus::spi::InternalLoggingEvent &event) override {
    if (complaint.empty()) complaint = event.getMessage().c_str();
    if (complaint.empty()) complaint = "a damaged JPEG stream";
  }
};

} // namespace

void listenForDamage() {
  OFLog::configure(OFLogger::OFF_LOG_LEVEL);
  OFLogger logger = OFLog::getLogger("dcmtk.dcmjpeg");
  logger.setLogLevel(OFLogger::WARN_LOG_LEVEL);
  logger.setAdditivity(false);
  logger.addAppender(dcmtk::log4cplus::SharedAppenderPtr(new Listener));
}

std::string takeComplaint() {
  std::string taken;
  taken.swap(complaint);
  return taken;
}

} // namespace cleft
