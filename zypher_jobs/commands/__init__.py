"""What ``zypher`` can be asked to do; :mod:`zypher_jobs.cli` puts it together.

What a command takes stands in a file for each subject: ``running``, ``tui``, ``top``, ``load``, ``models``, ``keys``,
``about``. What it then does is another part's, or one of those beside them: ``tryout`` runs a model, ``deploying``
deploys one, ``scaffold`` begins one, ``issuing`` makes keys, ``doctor`` looks at all. Imports of these stand inside the
commands: ``zypher --help`` loads no part, and each command its own only.
"""
