import ArgumentParser
import CleftFormats
import CleftImaging
import CleftTensor
import CleftTraining
import Foundation

/// The program: parse, run, and end with one line and the right exit code.
public enum CommandLineTool {
  private static let helpWords: Set<String> = ["help", "--help", "-h", "--version"]

  /// The help page that `cleft COMMAND --help` asks for; nil for anything else.
  ///
  /// The parser would show the same after reading the declarations of all options twice more.
  private static func helpPage(_ arguments: [String]) -> String? {
    guard arguments.count == 2, ["--help", "-h"].contains(arguments[1]),
      let command = CommandCatalog.all.first(where: { $0._commandName == arguments[0] })
    else { return nil }
    return Cleft.helpMessage(for: command)
  }

  /// Fails if results have not all reached standard output, for example because the disk behind it is full.
  private static func requirePrinted() throws(FormatError) {
    if fflush(nil) == 0 { return }
    throw .system(
      Problem(
        "standard output", found: "cannot be written (\(String(cString: strerror(errno))))",
        hint: "Free space, or send it elsewhere."))
  }

  /// Runs the command line of this process.
  public static func run() -> Never {
    DecoderMemory.keepFreed()
    let typed = Array(CommandLine.arguments.dropFirst())
    // From its first moment on a training ends by a signal as it says it does.
    if typed.first == "train" { Signals.watch() }
    do {
      try Processor.requireBuiltFeatures()
      let asksForHelp = typed.isEmpty || typed.contains { helpWords.contains($0) }
      if !asksForHelp { Processor.chooseBLASKernels() }
      let arguments = try ArgumentExpansion.expand(typed)
      if let page = helpPage(arguments) {
        print(page)
        try requirePrinted()
        exit(ExitStatus.done.rawValue)
      }
      var command = try Cleft.parseAsRoot(arguments)
      try command.run()
      try requirePrinted()
      exit(ExitStatus.done.rawValue)
    } catch let error as any CleftError {
      // What was printed comes before what went wrong, also where both go to one file.
      fflush(nil)
      FileHandle.standardError.write(Data("cleft: error: \(error)\n".utf8))
      exit(error.exitStatus.rawValue)
    } catch {
      guard Cleft.exitCode(for: error) == .validationFailure else { Cleft.exit(withError: error) }
      var text = Cleft.message(for: error)
      if let place = ArgumentExpansion.placeOfRefusal(text, typed) {
        text = "\(place): \(text.prefix(1).lowercased())\(text.dropFirst())"
      }
      text = text.replacing("\n", with: " ")
      let end = text.last?.isPunctuation == true && !text.hasSuffix("'") ? "" : "."
      let page = (try? ArgumentExpansion.command(typed.first ?? ""))?._commandName ?? "help"
      let line = "cleft: error: \(text)\(end) See 'cleft \(page == "help" ? page : page + " --help")'.\n"
      FileHandle.standardError.write(Data(line.utf8))
      exit(ExitStatus.usage.rawValue)
    }
  }
}

/// The root command.
struct Cleft: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cleft",
    abstract:
      "Pretrain, prompt-tune and zero-shot-evaluate language–image models of medical pictures, on CPUs.",
    discussion: "Options may be spelled with hyphens or underscores. Start with: cleft doctor",
    version: "0.1.0", subcommands: CommandCatalog.all)
}

/// Every command.
///
/// One line here makes a command.
enum CommandCatalog {
  static let all: [any ParsableCommand.Type] = [
    TrainCommand.self, EvalCommand.self, PredictCommand.self, EmbedCommand.self, SearchCommand.self,
    ProbeCommand.self,
    SynthCommand.self, TokenizerCommand.self, TokenizeCommand.self,
    CheckDataCommand.self, CaptionsCommand.self, PrepareCommand.self, PreprocessCommand.self,
    InspectCommand.self, RunsCommand.self, ReportCommand.self,
    ConvertCommand.self, MergeCommand.self, ParityCommand.self,
    QuirksCommand.self, DoctorCommand.self, BenchCommand.self,
  ]
}
