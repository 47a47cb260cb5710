"""genba's factory: configuration, plans, processes, files and the command line. It turns tasks into datasets."""
