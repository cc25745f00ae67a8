"""What lab 7 asks for, and a hint in three degrees for each fault that its checks can tell."""

from __future__ import annotations

from ..lab import Hint, Lab

__all__ = ["LAB"]

LAB = Lab(
    "lab7",
    "What a power cut leaves: a crash-safe store",
    needs={
        "Store": "class with __init__(self, disk, folder), put(self, name, data), get(self, name), delete(self, name) and "
        "names(self)"
    },
    ours=("rpclab.server", "rpclab.study"),
    minutes=110,
    lines=45,
    faults={
        "contents": Hint(
            "Is what you read what was written, to the last byte?",
            "Look at get: how many bytes does one read give, and what does it give back?",
            "get gives back other bytes than were put, without any crash.",
        ),
        "missing": Hint(
            "What does get do for a name that there is not?",
            "Look at what the disk raises, and at what you raise.",
            "get of a name that was not put, or was deleted, does not raise KeyError.",
        ),
        "names": Hint(
            "Which names have been put, and not deleted?",
            "Compare what names gives back with what lies in the folder. Is each file there a name that was put?",
            "names gives back too many names, or too few.",
        ),
        "forgets": Hint(
            "The process ends, and another Store is made on the same folder. What does it know?",
            "Look at what you keep in memory only.",
            "What was put is not found by the next Store on the same folder, though there was no crash.",
        ),
        "no-sync": Hint(
            "The disk has a memory of its own. When does what you write really reach it?",
            "Look at which files were written since the last sync.",
            "put returns while the contents are not synced: a power cut takes what was acknowledged.",
        ),
        "no-folder-sync": Hint(
            "The contents are safe. Is their name?",
            "A folder is a file too: which of your steps changes it?",
            "put returns while the name is not durable: the folder was not synced after its last change.",
        ),
        "not-durable": Hint(
            "What has to be on the disk when put returns?",
            "Let the power fail just after put, and follow what your __init__ does with what it finds.",
            "What was acknowledged is not found after a power cut, though everything had been synced: it is lost at the start.",
        ),
        "comes-back": Hint(
            "Something was deleted, then the power failed. What lies there?",
            "Look at what delete does last.",
            "A name that was deleted is there again after a power cut.",
        ),
        "in-place": Hint(
            "The power fails in the middle of a write. Which name do the halves lie under?",
            "Look at the name of the file that you write into.",
            "The file has its final name while it is still written: half of it is taken for all.",
        ),
        "rename-before-sync": Hint(
            "You give the file its name. What may have reached the disk by then: the contents, the name, or both?",
            "Look at the order of the steps.",
            "The file gets its final name before its contents are synced: the name may survive without them.",
        ),
        "half": Hint(
            "How do you know, at the start, that what lies there is whole?",
            "Let the power fail before each step, and look at what the next Store takes for whole.",
            "After a power cut something is found that was never put: a part, or a mixture.",
        ),
        "old-gone": Hint(
            "Between the old contents and the new ones: is there a moment without either?",
            "Look at what you remove or overwrite, and when.",
            "The old contents are gone before the new ones are there for good.",
        ),
        "cannot-start": Hint(
            "What may your __init__ find after a power cut?",
            "The words of the exception are beside 'seen', and what lay in the folder.",
            "After a power cut the store does not start any more.",
        ),
        "stumbles": Hint(
            "A put was cut short. What does the next one meet?",
            "Look at the names of the files that you create: may one be there already?",
            "Something that was left over makes a later put or delete fail.",
        ),
        "leftovers": Hint(
            "After a hundred crashes, how full is the disk?",
            "Look at what lies in the folder that no name needs, and when it is removed.",
            "What crashes, or puts that failed, have left behind stays for ever, and fills the disk.",
        ),
        "swallows": Hint(
            "The disk has refused. Who has to know?",
            "Look for except.",
            "The disk refused, and put or delete returned as if all were well.",
        ),
        "sync-again": Hint(
            "A sync has failed. What does the system still know of what was to be written?",
            "Look at what you do after SyncFailed.",
            "sync is called again on a file where it had failed: the second one says yes, though the contents are lost.",
        ),
        "refused-harms": Hint(
            "put has failed. What should get give now?",
            "Look at what was already changed when the disk refused.",
            "A put that failed has taken something away that was there before.",
        ),
        "never-ends": Hint(
            "Is there a loop that tries again?",
            "Look at when it ends.",
            "One operation does more and more steps, and never ends.",
        ),
        "cluster": Hint(
            "What does a server have after its power failed?",
            "Run this check alone; what the server said is beside 'seen'.",
            "In a cluster, with your store in every server, files are lost or refused.",
        ),
    },
)
