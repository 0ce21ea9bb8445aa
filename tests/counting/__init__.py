"""An app with functions that tell a file each time they run, for servers in processes of their own."""
