//! Training in processes that MPI starts.

use crate::program::{digits_home, program};

const FLAGS: [&str; 6] = ["digits.onnx", "--skips", "remove", "--retrain", "--data", "digits_train.npz"];

/// Without their MPI all of them would write the same files.
#[test]
fn processes_that_do_not_find_each_other_are_refused() {
    let home = digits_home();
    let output = program(home.path(), &FLAGS).env("PMI_SIZE", "2").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let (code, remedy) = match cfg!(feature = "mpi") {
        true => (1, "the mpirun of that MPI"),
        false => (3, "--features mpi"),
    };
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains(remedy), "{told}");
}

#[cfg(all(unix, feature = "mpi"))]
mod processes {
    use std::ffi::OsString;
    use std::fs;
    use std::io::{BufRead as _, BufReader};
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    use rustix::process::{Pid, Signal, kill_process};

    use super::FLAGS;
    use crate::program::{digits_home, names, nonresc_in, program};

    /// In batches of three shards.
    const MORE: [&str; 10] =
        ["--batch", "96", "--warmup", "4", "--qat-epochs", "1", "--out", "build", "--checkpoint", "state"];

    fn long<'a>(epochs: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&FLAGS[..], &MORE, &["--emit", "onnx", "--epochs", epochs], more].concat()
    }

    fn flags<'a>(more: &[&'a str]) -> Vec<&'a str> {
        long("2", more)
    }

    /// The program with these arguments, as words of a command line.
    fn words(home: &Path, arguments: &[&str]) -> Vec<OsString> {
        let program = program(home, arguments);
        [program.get_program()].into_iter().chain(program.get_args()).map(OsString::from).collect()
    }

    /// So many processes of these words, and so many of those.
    fn mpirun(home: &Path, parts: &[(usize, Vec<OsString>)]) -> Child {
        let mut command = Command::new("mpirun");
        // On any machine, as any user.
        command.args(["--oversubscribe", "--bind-to", "none"]);
        command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
        for (i, (processes, words)) in parts.iter().enumerate() {
            command.args((i > 0).then_some(":")).arg("-n").arg(processes.to_string()).args(words);
        }
        command.current_dir(home).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap_or_else(|error| panic!("mpirun: {error}; install openmpi-bin"))
    }

    /// The exit code, and what was told on standard error.
    fn ended(child: Child) -> (Option<i32>, String) {
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    /// All that a run made, by name.
    fn made(home: &Path) -> Vec<(String, Vec<u8>)> {
        let build = names(&home.join("build")).into_iter().map(|name| format!("build/{name}"));
        let all = build.chain(["state", "state.qat"].map(String::from));
        all.map(|name| (name.clone(), fs::read(home.join(name)).unwrap())).collect()
    }

    #[test]
    fn their_files_are_those_of_one() {
        let alone = digits_home();
        nonresc_in(alone.path(), &flags(&[])).done();
        for processes in [2, 3] {
            let home = digits_home();
            let (code, told) = ended(mpirun(home.path(), &[(processes, words(home.path(), &flags(&[])))]));
            assert_eq!(code, Some(0), "{told}");
            assert!(made(home.path()) == made(alone.path()), "{processes} processes");
            assert_eq!(names(home.path()), names(alone.path()));
            assert_eq!(told.matches("epoch 1/2").count(), 1, "{told}");
        }
    }

    #[test]
    fn a_signal_to_one_stops_all_and_what_is_resumed_has_the_same_bytes() {
        // More than are over while the signal is on its way.
        let flags = |more| long("8", more);
        let (alone, cut) = (digits_home(), digits_home());
        let home = cut.path();
        nonresc_in(alone.path(), &flags(&[])).done();
        let process = words(home, &flags(&[]));
        let telling = ["sh", "-c", "echo $$ > pid; exec \"$@\"", "sh"].map(OsString::from);
        let telling = [&telling[..], &process].concat();
        let mut child = mpirun(home, &[(1, process), (1, telling)]);
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(told.by_ref().map(Result::unwrap).any(|line| line.contains("epoch 1/8")));
        let pid = fs::read_to_string(home.join("pid")).unwrap().trim().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
        let rest: Vec<String> = told.map(Result::unwrap).collect();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
        assert!(rest.iter().any(|line| line.contains("--resume")), "{rest:?}");
        assert!(!home.join("build").exists());
        let (code, told) = ended(mpirun(home, &[(2, words(home, &flags(&["--resume"])))]));
        assert_eq!(code, Some(0), "{told}");
        assert!(made(home) == made(alone.path()));
    }

    #[test]
    fn a_fault_of_one_ends_all() {
        let home = digits_home();
        let faulty = [("--teacher", "absent.onnx", "process 1: "), ("--seed", "7", "checkpoints differ")];
        for (flag, value, told) in faulty {
            let parts = [&[][..], &[flag, value]].map(|more| (1, words(home.path(), &flags(more))));
            let (code, all) = ended(mpirun(home.path(), &parts));
            assert_eq!(code, Some(1), "{all}");
            assert_eq!(all.matches("error[").count(), 1, "{all}");
            assert!(all.contains(told), "{all}");
            assert!(!home.path().join("build").exists());
        }
    }
}
