import CleftCommand

CommandLineTool.run()
