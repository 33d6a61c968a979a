"""The composition root: settings, the processes and who starts them, the command line, the demo."""
