"""The base of Zypher: the queue, the models and the worker. The path of a prediction:

1. request: ``POST /predict`` arrives (``zypher_api``); its size is bounded.
2. validate: the body is decoded straight into the model's input type (``models``); a bad one ends here.
3. run or enqueue: synchronous runs in the API process; asynchronous is one script that writes an arq job (``queue``).
4. claim: a worker takes as many due predictions as it has room for, each under a lease; one that stands idle is handed
   what is submitted (``worker.intake``).
5. run: the model predicts, off the event loop (``models.runtimes``).
6. finish: one script writes result, status and event, if the lease is still held (``queue/scripts``).
7. notify: callers that wait for that prediction are told how it ended (``queue.waiters``).
8. read: ``GET /predict/{id}``, the metrics and the dashboard read what the scripts wrote (``queue.inspect``).
"""

__version__ = "0.1.0"
