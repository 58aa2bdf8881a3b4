import ArgumentParser
import CleftFormats
import CleftImaging
import CleftTensor
import CleftTraining
import Foundation

/// The program: parse, run, and end with one line and the right exit code.
public enum CommandLineTool {
  private static let helpWords: Set<String> = ["help", "--help", "-h", "--version"]

  /// Runs the command line of this process.
  public static func run() -> Never {
    DecoderMemory.keepFreed()
    do {
      try Processor.requireBuiltFeatures()
      let asksForHelp =
        CommandLine.arguments.count < 2 || CommandLine.arguments.contains { helpWords.contains($0) }
      if !asksForHelp { Processor.chooseBLASKernels() }
      let arguments = try ArgumentExpansion.expand(Array(CommandLine.arguments.dropFirst()))
      var command = try Cleft.parseAsRoot(arguments)
      try command.run()
      exit(ExitStatus.done.rawValue)
    } catch let error as any CleftError {
      // What was printed comes before what went wrong, also where both go to one file.
      fflush(nil)
      FileHandle.standardError.write(Data("cleft: error: \(error)\n".utf8))
      exit(error.exitStatus.rawValue)
    } catch {
      guard Cleft.exitCode(for: error) == .validationFailure else { Cleft.exit(withError: error) }
      let text = Cleft.message(for: error).replacing("\n", with: " ")
      FileHandle.standardError.write(Data("cleft: error: \(text) See 'cleft help'.\n".utf8))
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
    TrainCommand.self, EvalCommand.self, SynthCommand.self, TokenizerCommand.self, TokenizeCommand.self,
    CheckDataCommand.self, CaptionsCommand.self, PrepareCommand.self, PreprocessCommand.self,
    InspectCommand.self,
    ConvertCommand.self, MergeCommand.self, ParityCommand.self,
    DoctorCommand.self,
  ]
}
