"""What ``zypher`` can be asked to do, a file for each subject; :mod:`zypher_jobs.cli` puts them together.

Imports stand inside the commands: ``zypher --help`` loads none of the parts, and each command its own only.
"""
